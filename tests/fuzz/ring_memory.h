// SPDX-License-Identifier: Apache-2.0
// A ring whose other half is the fuzzer: it writes the peer's indices and any slot at any time.
#pragma once

#include <array>
#include <memory>
#include <new>

#include "protocols/ring.h"
#include "tests/fuzz/fuzz_input.h"

namespace cede::fuzz {

struct Item {
  std::uint64_t value = 0;
  std::uint64_t other = 0;
};

// Exactly as large as the ring: the address sanitizer sees one byte too many.
class RingMemory {
 public:
  // `peer_line` and `own_line` are RingShape's, as the half under test sees them.
  RingMemory(RingShape shape, std::uint32_t start, std::size_t peer_line, std::size_t own_line)
      : shape_(shape),
        peer_line_(peer_line),
        own_line_(own_line),
        memory_(new (std::align_val_t{kCacheLine}) std::byte[shape.bytes()]{}) {
    write(peer_line, start);
    write(own_line, start);
    write(peer_line + RingShape::kToEvent, start + 1);
    write(own_line + RingShape::kToEvent, start + 1);
    expected_ = peer_words();
  }

  [[nodiscard]] std::byte* base() const { return memory_.get(); }
  // The other half does something: moves its producer or its event, near or far, or fills a slot.
  void peer_acts(Input& input) {
    const std::size_t word = peer_line_ + (input.below(2) == 0 ? 0 : RingShape::kToEvent);
    switch (input.below(4)) {
      case 0:
        write(word, input.take<std::uint32_t>());
        break;
      case 1:  // a step that might be honest, forwards or back
        write(word, read(word) + input.take<std::uint8_t>() - 64);
        break;
      case 2:  // close to where the half under test is
        write(word, read(own_line_) + input.take<std::uint8_t>() - 64);
        break;
      default: {
        const std::size_t slot = input.take<std::uint16_t>() & (shape_.slots - 1);
        SharedSlot<Item>(base() + RingShape::kSlots + slot * shape_.slot_bytes)
            .copy_out(input.take<Item>());
      }
    }
    expected_ = peer_words();
  }
  // Neither half ever writes the other's lines.
  void check() const { require(peer_words() == expected_, "the peer's lines are its own"); }

 private:
  struct Free {
    void operator()(std::byte* memory) const {
      ::operator delete[](memory, std::align_val_t{kCacheLine});
    }
  };
  void write(std::size_t offset, std::uint32_t value) const {
    SharedIndex(base() + offset).store(value, std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint32_t read(std::size_t offset) const {
    return SharedIndex(base() + offset).load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::array<std::uint32_t, 2> peer_words() const {
    return {read(peer_line_), read(peer_line_ + RingShape::kToEvent)};
  }

  RingShape shape_;
  std::size_t peer_line_;
  std::size_t own_line_;
  std::unique_ptr<std::byte[], Free> memory_;
  std::array<std::uint32_t, 2> expected_{};
};

// One to 128 slots, and a start near a wrap more often than not.
[[nodiscard]] inline RingShape shape_from(Input& input) {
  return {1U << input.below(8), static_cast<std::uint32_t>(sizeof(Item))};
}
[[nodiscard]] inline std::uint32_t start_from(Input& input) {
  return input.below(4) == 0 ? 0 : UINT32_MAX - input.take<std::uint8_t>();
}

}  // namespace cede::fuzz
