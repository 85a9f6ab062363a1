// SPDX-License-Identifier: Apache-2.0
// Memory of our own that is a fixed buffer of the loop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "driver_vm/engine/event_loop.h"

namespace cede::driver {

class PinnedMemory {
 public:
  // Whole pages of zeroes, aligned as direct I/O wants it. Throws std::system_error. `loop`
  // outlives the memory.
  PinnedMemory(EventLoop& loop, std::size_t bytes);
  PinnedMemory(const PinnedMemory&) = delete;
  PinnedMemory& operator=(const PinnedMemory&) = delete;
  // No operation on it may be in flight.
  ~PinnedMemory() { loop_.unpin(buffer_); }

  [[nodiscard]] std::byte* data() const noexcept { return memory_.get(); }
  // Its index among the loop's fixed buffers.
  [[nodiscard]] std::uint16_t buffer() const noexcept { return buffer_; }

 private:
  struct Free {
    void operator()(std::byte* memory) const noexcept { std::free(memory); }
  };

  EventLoop& loop_;
  std::unique_ptr<std::byte[], Free> memory_;
  std::uint16_t buffer_ = 0;
};

}  // namespace cede::driver
