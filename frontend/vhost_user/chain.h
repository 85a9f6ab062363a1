// SPDX-License-Identifier: Apache-2.0
// A request's buffers in guest memory, as a virtqueue hands them over.
//
// Segments keep guest addresses, not pointers: memory may be unplugged while a request is in
// flight, so each copy looks its address up anew.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "frontend/vhost_user/guest_memory.h"

namespace cede::vhost_user {

struct Segment {
  std::uint64_t address = 0;  // guest address
  std::uint32_t length = 0;
};

// A run of bytes that lies scattered over guest memory.
class Segments {
 public:
  // Keeps room for a usual request only: a guest must not make every request hold a huge list.
  void clear() noexcept {
    if (list_.capacity() > kKept) std::vector<Segment>().swap(list_);
    list_.clear();
    bytes_ = 0;
  }
  void add(Segment segment) {
    list_.push_back(segment);
    bytes_ += segment.length;
  }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] std::span<const Segment> list() const noexcept { return list_; }

  // Copy `from.size()` or `into.size()` bytes, beginning `offset` bytes into the run. False: the
  // run ends before, or a part of it is no longer guest memory.
  [[nodiscard]] bool read(const GuestMemory& memory, std::uint64_t offset,
                          std::span<std::byte> into) const noexcept {
    return for_pieces(offset, into.size(), [&](std::uint64_t address, std::size_t length) {
      const bool copied = memory.read(address, into.first(length));
      into = into.subspan(length);
      return copied;
    });
  }
  [[nodiscard]] bool write(const GuestMemory& memory, std::uint64_t offset,
                           std::span<const std::byte> from) const noexcept {
    return for_pieces(offset, from.size(), [&](std::uint64_t address, std::size_t length) {
      const bool copied = memory.write(address, from.first(length));
      from = from.subspan(length);
      return copied;
    });
  }

 private:
  template <class Copy>
  [[nodiscard]] bool for_pieces(std::uint64_t offset, std::size_t length,
                                Copy copy) const noexcept {
    for (const Segment& segment : list_) {
      if (length == 0) break;
      if (offset >= segment.length) {
        offset -= segment.length;
        continue;
      }
      const std::size_t left = segment.length - static_cast<std::size_t>(offset);
      const std::size_t piece = left < length ? left : length;
      if (!copy(segment.address + offset, piece)) return false;
      offset = 0;
      length -= piece;
    }
    return length == 0;
  }

  static constexpr std::size_t kKept = 128;

  std::vector<Segment> list_;
  std::uint64_t bytes_ = 0;
};

struct Chain {
  // Descriptors of one chain, those of an indirect table included.
  static constexpr std::uint32_t kMaxBuffers = 1024;

  std::uint16_t head = 0;   // what the driver knows it by; packed: the buffer's id
  std::uint16_t slots = 0;  // of the ring itself that it takes up
  Segments readable;        // what the driver wrote for the device
  Segments writable;        // where the device may write

  void clear() noexcept {
    readable.clear();
    writable.clear();
    slots = 0;
  }

  // Adds what a descriptor names. False: not guest memory, or against the rules.
  [[nodiscard]] bool add(const GuestMemory& memory, Segment buffer, bool device_writes) {
    if (buffer.length == 0) return true;
    if (readable.list().size() + writable.list().size() >= kMaxBuffers) return false;
    if (!memory.covers(buffer.address, buffer.length)) return false;
    // Section 2.7.4.2 (and 2.8.5): device-writable descriptors come after all readable ones.
    if (!device_writes && writable.bytes() != 0) return false;
    (device_writes ? writable : readable).add(buffer);
    return readable.bytes() + writable.bytes() <= UINT32_MAX;
  }
};

}  // namespace cede::vhost_user
