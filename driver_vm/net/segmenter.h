// SPDX-License-Identifier: Apache-2.0
// Cuts a segmented frame for a receiver that does not: TCP and UDP over IPv4 and IPv6, each cut
// complete with its checksums. What comes out is what Linux's own tcp_gso_segment() and
// __udp_gso_segment() make of it.
#pragma once

#include <array>
#include <cstdint>

#include "driver_vm/net/frame.h"

namespace cede::driver {

class Segmenter {
 public:
  // Precondition: frame.segmented(). `frame` outlives the segmenter and is not changed meanwhile.
  Segmenter(Frame& frame, bool tagged) noexcept;

  // The next cut, whose header bytes are good until the one after. False: that was all.
  [[nodiscard]] bool next(Pieces& pieces) noexcept;

 private:
  void write_network_header(std::uint32_t payload) noexcept;
  void write_tcp_header(bool last) noexcept;
  void write_transport_checksum(const std::array<std::span<const std::byte>, 2>& payload) noexcept;
  template <class T>
  [[nodiscard]] T get(std::uint32_t offset) const noexcept {
    T value;
    std::memcpy(&value, headers_.data() + begin_ + offset, sizeof value);
    return value;
  }
  template <class T>
  void set(std::uint32_t offset, T value) noexcept {
    std::memcpy(headers_.data() + begin_ + offset, &value, sizeof value);
  }

  const Frame& frame_;
  bool ipv6_;
  std::uint32_t begin_;  // of the untagged form in headers_
  std::uint32_t step_;   // payload bytes of each cut but the last
  std::uint32_t done_ = 0;
  std::uint16_t cut_ = 0;
  std::array<std::byte, kTagBytes + Frame::kHeadBytes> headers_;
};

}  // namespace cede::driver
