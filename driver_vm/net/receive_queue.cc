// SPDX-License-Identifier: Apache-2.0
#include "driver_vm/net/receive_queue.h"

#include <algorithm>
#include <cstring>

namespace cede::driver {

ReceiveQueue::Put ReceiveQueue::put(const net::Header& header, const Pieces& pieces) noexcept {
  std::size_t total = 0;
  for (const auto& piece : pieces) total += piece.size();
  const auto length = static_cast<std::uint32_t>(total);
  while (room_ < length) {
    if (const Put taken = take_buffer(); taken != Put::Ok) return taken;
  }
  if (stash_[first_].length < length) {
    scatter(header, pieces, length);
    return Put::Ok;
  }
  std::byte* place = memory_ + stash_[first_].offset;
  for (const auto& piece : pieces) {
    if (piece.empty()) continue;
    std::memcpy(place, piece.data(), piece.size());
    place += piece.size();
  }
  net::Header words = header;
  words.num_buffers = 1;
  answer(length, words);
  return Put::Ok;
}

ReceiveQueue::Put ReceiveQueue::take_buffer() noexcept {
  net::Buffer buffer;
  switch (ring_.take(buffer)) {
    case Verdict::Empty:
      return Put::NoBuffer;
    case Verdict::Broken:
      return Put::Broken;
    case Verdict::Ready:
      break;
  }
  if (buffer.length < net::kMinBuffer || !geometry_.holds(buffer.offset, buffer.length)) {
    return Put::Broken;
  }
  stashed(count_++) = buffer;
  room_ += buffer.length;
  return Put::Ok;
}

std::uint16_t ReceiveQueue::parts_of(std::uint32_t length) const noexcept {
  std::uint16_t parts = 0;
  for (std::uint32_t at = first_; length != 0; at = (at + 1) & (kStash - 1), ++parts) {
    length -= std::min(length, stash_[at].length);
  }
  return parts;
}

void ReceiveQueue::scatter(net::Header header, const Pieces& pieces,
                           std::uint32_t length) noexcept {
  header.num_buffers = parts_of(length);
  std::uint32_t filled = 0;  // of the first buffer in the stash
  for (std::span<const std::byte> piece : pieces) {
    while (!piece.empty()) {
      const net::Buffer buffer = stash_[first_];
      const std::size_t size = std::min<std::size_t>(piece.size(), buffer.length - filled);
      std::memcpy(memory_ + buffer.offset + filled, piece.data(), size);
      piece = piece.subspan(size);
      filled += static_cast<std::uint32_t>(size);
      length -= static_cast<std::uint32_t>(size);
      if (filled == buffer.length || length == 0) {
        answer(filled, header);
        header = {};
        filled = 0;
      }
    }
  }
}

}  // namespace cede::driver
