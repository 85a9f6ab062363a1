// SPDX-License-Identifier: Apache-2.0
// Does a target move the right bytes? What is written through it has to be in the image, and what
// is put into the image has to be read through it.
#pragma once

#include <algorithm>
#include <cstring>

#include "tests/bench/blk/load.h"
#include "tests/bench/blk/ram_image.h"

namespace cede::bench {

namespace detail {

inline constexpr std::uint32_t kCheckDepth = 32;
inline constexpr std::uint32_t kCheckBytes = 4096;

// Content that no other sector and no other salt has.
inline void fill(std::span<std::byte> bytes, std::uint64_t sector, std::uint64_t salt) {
  for (std::size_t i = 0; i + sizeof sector <= bytes.size(); i += sizeof sector) {
    const std::uint64_t word = (sector * 512 + i) * 0x9e3779b97f4a7c15U ^ salt;
    std::memcpy(bytes.data() + i, &word, sizeof word);
  }
}

// One operation on each slot, all at once; slot i goes to sectors[i].
template <class Target>
void run_batch(Target& target, bool write, std::span<const std::uint64_t> sectors) {
  for (std::uint32_t slot = 0; slot < sectors.size(); ++slot) {
    target.submit(slot, write, sectors[slot]);
  }
  target.publish();
  const std::uint64_t begin = now_ns();
  std::array<Done, kMaxDepth> done;
  for (std::size_t left = sectors.size(); left != 0;) {
    const std::size_t count = target.poll(done);
    for (const Done& one : std::span(done).first(count)) {
      if (!one.ok) throw std::runtime_error("an operation failed");
    }
    left -= count;
    if (now_ns() - begin > kStuckNs) throw std::runtime_error("an operation is never completed");
    if (count == 0) target.wait(1000);
  }
}

}  // namespace detail

// Throws std::runtime_error where it does not.
template <class Target>
void check_data(Target& target, const RamImage& image) {
  using namespace detail;
  std::minstd_rand random(7);
  std::vector<std::uint64_t> sectors;
  const std::uint64_t blocks = image.bytes() / kCheckBytes;
  for (std::uint32_t slot = 0; slot < kCheckDepth; ++slot) {
    // Apart from each other, and the first and the last block among them.
    const std::uint64_t first = blocks * slot / kCheckDepth;
    const std::uint64_t next = blocks * (slot + 1) / kCheckDepth;
    const std::uint64_t block = slot == 0                 ? 0
                                : slot == kCheckDepth - 1 ? blocks - 1
                                                          : first + random() % (next - first);
    sectors.push_back(block * (kCheckBytes / 512));
  }
  std::vector<std::byte> expected(kCheckBytes);
  std::vector<std::byte> found(kCheckBytes);
  target.prepare(kCheckDepth, kCheckBytes);

  for (std::uint32_t slot = 0; slot < kCheckDepth; ++slot) {
    fill(target.buffer(slot), sectors[slot], 1);
  }
  run_batch(target, true, sectors);
  for (const std::uint64_t sector : sectors) {
    fill(expected, sector, 1);
    image.read(sector * 512, found);
    if (found != expected) throw std::runtime_error("a write did not reach the image");
  }

  for (const std::uint64_t sector : sectors) {
    fill(expected, sector, 2);
    image.write(sector * 512, expected);
  }
  run_batch(target, false, sectors);
  for (std::uint32_t slot = 0; slot < kCheckDepth; ++slot) {
    fill(expected, sectors[slot], 2);
    if (!std::ranges::equal(target.buffer(slot), expected)) {
      throw std::runtime_error("a read did not bring what the image holds");
    }
  }
}

}  // namespace cede::bench
