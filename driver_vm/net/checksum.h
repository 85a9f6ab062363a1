// SPDX-License-Identifier: Apache-2.0
// The Internet checksum (RFC 1071): a sum of 16-bit words in one's complement, in the order of
// memory, so that a result can be stored as it is.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace cede::driver {

static_assert(std::endian::native == std::endian::little, "virtio 1.x headers are little-endian");

// Between the order of the network and that of this machine, either way.
[[nodiscard]] constexpr std::uint16_t swap16(std::uint16_t value) noexcept {
  return static_cast<std::uint16_t>(value << 8 | value >> 8);
}
[[nodiscard]] constexpr std::uint32_t swap32(std::uint32_t value) noexcept {
  return __builtin_bswap32(value);
}

class InternetSum {
 public:
  // Stretches that follow each other, of any length, odd ones too.
  void add(std::span<const std::byte> bytes) noexcept {
    std::uint64_t sum = plain_sum(bytes);
    if (odd_) sum = swap16(folded(sum));
    sum_ += sum;
    odd_ ^= (bytes.size() & 1) != 0;
  }
  // A word that is part of no stretch.
  void add_word(std::uint16_t host_order) noexcept { sum_ += swap16(host_order); }

  // What goes into the checksum's field, as it lies in memory.
  [[nodiscard]] std::uint16_t checksum() const noexcept {
    return static_cast<std::uint16_t>(~folded(sum_));
  }
  // The same where 0 means that there is none, as in UDP (RFC 768): one's complement has another.
  [[nodiscard]] std::uint16_t checksum_not_zero() const noexcept {
    const std::uint16_t sum = checksum();
    return sum != 0 ? sum : UINT16_MAX;
  }

 private:
  [[nodiscard]] static std::uint16_t folded(std::uint64_t sum) noexcept {
    while (sum >> 16 != 0) sum = (sum & 0xFFFF) + (sum >> 16);
    return static_cast<std::uint16_t>(sum);
  }
  [[nodiscard]] static std::uint64_t plain_sum(std::span<const std::byte> bytes) noexcept {
    std::uint64_t low = 0;
    std::uint64_t high = 0;
    while (bytes.size() >= 16) {
      std::uint64_t words[2];
      std::memcpy(words, bytes.data(), sizeof words);
      low += (words[0] & UINT32_MAX) + (words[1] & UINT32_MAX);
      high += (words[0] >> 32) + (words[1] >> 32);
      bytes = bytes.subspan(sizeof words);
    }
    std::uint64_t words[2] = {};
    if (!bytes.empty()) std::memcpy(words, bytes.data(), bytes.size());
    low += (words[0] & UINT32_MAX) + (words[1] & UINT32_MAX);
    high += (words[0] >> 32) + (words[1] >> 32);
    return low + high;
  }

  std::uint64_t sum_ = 0;
  bool odd_ = false;
};

}  // namespace cede::driver
