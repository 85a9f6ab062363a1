// SPDX-License-Identifier: Apache-2.0
#include "frontend/vhost_user/net_queue.h"

#include <algorithm>
#include <cstring>

namespace cede::vhost_user {

using Outcome = NetReceiveQueue::Outcome;

namespace {

// So many are shown to both sides at a time, for them to begin while we copy the next ones.
constexpr std::uint32_t kPublishEvery = 32;

}  // namespace

// ---- Both ----

Status NetQueue::start(const GuestMemory& memory, const QueueSetup& setup,
                       std::uint32_t base) noexcept {
  const Status status = ring_.start(memory, setup, base);
  if (status == Status::Ok) begin();
  return status;
}

std::uint32_t NetQueue::stop() noexcept {
  end();
  return ring_.base();
}

void NetQueue::rebind(const GuestMemory& memory) noexcept {
  if (running() && ring_.rebind(memory) != Status::Ok) break_down("its rings left the memory");
}

void NetQueue::publish() noexcept {
  if (running() && ring_.publish()) interrupt();
}

void NetQueue::disarm() noexcept {
  if (!armed_ || !running()) return;
  armed_ = false;
  ring_.disarm();
}

// ---- From the guest ----

bool NetTransmitQueue::pass(const GuestMemory& memory, frontend::NetDevice* session,
                            std::uint16_t pair, const NetFormat& format) {
  starved_ = false;
  if (!serving()) return false;
  std::uint32_t taken = 0;
  for (frontend::Turn turn(kPerFrame); !turn.over(); ++taken) {
    const std::uint16_t before = ring_.position();
    const Verdict verdict = ring_.take(memory, chain_);
    if (verdict == Verdict::Empty) break;
    if (verdict == Verdict::Broken) {
      break_down("an invalid index or descriptor chain");
      break;
    }
    const std::uint64_t bytes = chain_.readable.bytes();
    if (bytes < format.header_bytes + net::kMinFrame ||
        bytes > format.header_bytes + net::kMaxFrame) {
      ++malformed_;
    } else if (session == nullptr) {
      ++lost_;
    } else if (!send(memory, *session, pair, format)) {
      starved_ = true;
      ring_.seek(before);
      break;
    }
    turn.spend(static_cast<std::uint32_t>(std::min<std::uint64_t>(bytes, net::kMaxFrame)));
    ring_.put(chain_.head, chain_.slots, 0);
    if ((taken + 1) % kPublishEvery == 0) {
      if (session != nullptr) session->publish();
      publish();
    }
  }
  return taken != 0;
}

bool NetTransmitQueue::send(const GuestMemory& memory, frontend::NetDevice& session,
                            std::uint16_t pair, const NetFormat& format) {
  const auto length = static_cast<std::uint32_t>(chain_.readable.bytes() - format.header_bytes);
  const std::span<std::byte> room = session.reserve(pair, length);
  if (room.empty()) return false;
  // The header has no buffer of its own, or several: they are one run of bytes (section 2.7.4.1).
  net::Header header{};
  const auto head = std::as_writable_bytes(std::span(&header, 1)).first(format.header_bytes);
  if (chain_.readable.read(memory, 0, head) &&
      chain_.readable.read(memory, format.header_bytes, room)) {
    session.send(pair, length, header);
  } else {
    ++malformed_;
  }
  return true;
}

bool NetTransmitQueue::arm() noexcept {
  if (!serving()) return false;
  armed_ = true;
  return ring_.arm() != Verdict::Empty;
}

// ---- To the guest ----

Status NetReceiveQueue::start(const GuestMemory& memory, const QueueSetup& setup,
                              std::uint32_t base) noexcept {
  waits_ = false;
  return NetQueue::start(memory, setup, base);
}

Outcome NetReceiveQueue::deliver(const GuestMemory& memory, const frontend::Frame& frame,
                                 const NetFormat& format) {
  if (!serving()) return Outcome::Lost;
  if (waits_ && !more_buffers()) return Outcome::Waits;
  waits_ = false;
  const std::uint16_t start = ring_.position();
  rest_ = std::span(frame.parts).first(frame.part_count);
  part_ = {};
  given_.clear();
  std::uint32_t left = frame.length;
  std::uint32_t slots = 0;
  while (left != 0) {
    const bool only_one = !given_.empty() && !format.mergeable;
    const Verdict verdict = only_one ? Verdict::Empty : ring_.take(memory, chain_);
    if (verdict == Verdict::Empty) {
      ended_ = ring_.position();
      ring_.seek(start);
      // With every descriptor in use already, or one buffer at most, there will never be enough.
      if (only_one || slots >= ring_.size()) return Outcome::Lost;
      waits_ = true;
      return Outcome::Waits;
    }
    const std::uint64_t room = verdict == Verdict::Ready ? chain_.writable.bytes() : 0;
    if (room < format.header_bytes) {
      ring_.seek(start);
      break_down(verdict == Verdict::Ready ? "a receive buffer without room for a header"
                                           : "an invalid index or descriptor chain");
      return Outcome::Lost;
    }
    const std::uint32_t header = given_.empty() ? format.header_bytes : 0;
    const auto bytes = static_cast<std::uint32_t>(std::min<std::uint64_t>(left, room - header));
    if (!fill(memory, header, bytes)) {
      ring_.seek(start);
      break_down("a receive buffer left the memory");
      return Outcome::Lost;
    }
    left -= bytes;
    slots += chain_.slots;
    given_.push_back({chain_.head, chain_.slots, header + bytes});
    if (given_.size() == 1) std::swap(first_, chain_);
  }
  net::Header header = frame.header;
  header.num_buffers = static_cast<__virtio16>(given_.size());
  (void)first_.writable.write(memory, 0,
                              std::as_bytes(std::span(&header, 1)).first(format.header_bytes));
  for (const Given& one : given_) ring_.put(one.head, one.slots, one.written);
  return Outcome::Delivered;
}

bool NetReceiveQueue::fill(const GuestMemory& memory, std::uint64_t offset, std::uint32_t bytes) {
  while (bytes != 0) {
    if (part_.empty()) {
      part_ = rest_.front();
      rest_ = rest_.subspan(1);
      continue;
    }
    const auto piece = part_.first(std::min<std::size_t>(part_.size(), bytes));
    if (!chain_.writable.write(memory, offset, piece)) return false;
    part_ = part_.subspan(piece.size());
    offset += piece.size();
    bytes -= static_cast<std::uint32_t>(piece.size());
  }
  return true;
}

bool NetReceiveQueue::more_buffers() noexcept {
  const std::uint16_t here = ring_.position();
  ring_.seek(ended_);
  const bool more = ring_.peek() != Verdict::Empty;
  ring_.seek(here);
  return more;
}

bool NetReceiveQueue::arm() noexcept {
  if (!serving() || !waits_) return false;
  armed_ = true;
  const std::uint16_t here = ring_.position();
  ring_.seek(ended_);
  const bool more = ring_.arm() != Verdict::Empty;
  ring_.seek(here);
  return more;
}

}  // namespace cede::vhost_user
