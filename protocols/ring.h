// SPDX-License-Identifier: Apache-2.0
// The ring: requests from a frontend, responses from a backend, in the same slots.
//
// Protocol: Xen's (xen/include/public/io/ring.h), with a layout for today's caches. tests/unit/
// protocols/xen_ring_test.cc drives both through the same traces and compares every index and every
// decision.
//
//  - Indices are free-running u32; a slot is `index & (slots - 1)`; counts are differences modulo
//    2^32.
//  - A response takes the slot of an earlier request, so a response always has room, and a frontend
//    that never reads responses starves only itself: its own requests run out of slots.
//  - Each side writes two lines, of one index each, and no other. All else it knows is private.
//        front: req_prod (requests published), rsp_event (ring me when rsp_prod passes this)
//        back:  rsp_prod (responses published), req_event (ring me when req_prod passes this)
//    A peer that does not sleep leaves its event alone. Beside its producer, which moves all the
//    time, it would cost each publication a line that has nothing new.
//  - Both producers begin at 0, both events at 1: the first publication rings.
//  - publish(): store the producer, full fence, load the peer's event: ring if and only if the
//    event lies in (old, new]. arm(): store the event one past the last consumed, full fence, look
//    again: the peer either sees the event or has published before the look. Neither fence can go:
//    tests/unit/protocols/ring_handshake takes each away and shows the lost wake-up.
//
// What a peer can do: put any value anywhere in the lines and in every slot. What it gets: a
// producer further ahead than the ring is long, or behind, is Verdict::Broken; a slot is copied
// once, and what it says is for the caller to judge. A peer's event decides only whether it is
// woken itself.
//
// Threads: one thread for each half at a time. No allocation, no system call.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "protocols/shared_memory.h"

namespace cede {

// The shape of a ring, agreed at connect and never read from shared memory.
struct RingShape {
  std::uint32_t slots = 0;       // a power of two, at most kMaxSlots
  std::uint32_t slot_bytes = 0;  // a power of two, 8 to kMaxSlotBytes

  static constexpr std::uint32_t kMaxSlots = 4096;
  static constexpr std::uint32_t kMaxSlotBytes = 256;
  // Where each side has its producer. x86 fetches lines in pairs, and a pair must not carry both
  // writers; so the other line of the pair has the same side's event, this far behind the producer.
  static constexpr std::size_t kFrontLine = 0;
  static constexpr std::size_t kBackLine = 2 * kCacheLine;
  static constexpr std::size_t kToEvent = kCacheLine;
  static constexpr std::size_t kSlots = 4 * kCacheLine;

  [[nodiscard]] constexpr bool valid() const noexcept {
    return slots != 0 && slots <= kMaxSlots && (slots & (slots - 1)) == 0 && slot_bytes >= 8 &&
           slot_bytes <= kMaxSlotBytes && (slot_bytes & (slot_bytes - 1)) == 0;
  }
  [[nodiscard]] constexpr std::size_t bytes() const noexcept {
    return kSlots + static_cast<std::size_t>(slots) * slot_bytes;
  }
};

// What a look at the peer's producer found.
enum class Verdict : std::uint8_t {
  Empty,   // nothing new
  Ready,   // one item was taken; or, from arm(): something is there, do not sleep
  Broken,  // the peer's producer cannot be right: end the session
};

// A fresh ring. The backend calls it between mapping the region and telling the broker so: the
// frontend is offered the region only after that.
inline void format_ring(std::byte* base) noexcept {
  SharedIndex(base + RingShape::kFrontLine).store(0, std::memory_order_relaxed);
  SharedIndex(base + RingShape::kFrontLine + RingShape::kToEvent)
      .store(1, std::memory_order_relaxed);
  SharedIndex(base + RingShape::kBackLine).store(0, std::memory_order_relaxed);
  SharedIndex(base + RingShape::kBackLine + RingShape::kToEvent)
      .store(1, std::memory_order_relaxed);
}

namespace ring_detail {

// One direction as its producer sees it.
class Producer {
 public:
  Producer(std::byte* own_line, std::byte* peer_line, std::uint32_t start) noexcept
      : published_(own_line),
        event_(peer_line + RingShape::kToEvent),
        next_(start),
        visible_(start) {}

  [[nodiscard]] std::uint32_t next() const noexcept { return next_; }
  [[nodiscard]] std::uint32_t visible() const noexcept { return visible_; }
  void advance() noexcept { ++next_; }

  // Makes everything up to next() visible. True: the peer asked to be woken for some of it.
  [[nodiscard]] bool publish() noexcept {
    const std::uint32_t old = visible_;
    if (old == next_) return false;
    visible_ = next_;
    published_.store(next_, std::memory_order_release);
    full_fence();
    const std::uint32_t event = event_.load(std::memory_order_relaxed);
    return next_ - event < next_ - old;
  }

 private:
  SharedIndex published_;
  SharedIndex event_;
  std::uint32_t next_;     // one past the last item written
  std::uint32_t visible_;  // what the peer was told
};

// One direction as its consumer sees it.
class Consumer {
 public:
  Consumer(std::byte* own_line, std::byte* peer_line, std::uint32_t start) noexcept
      : published_(peer_line),
        event_(own_line + RingShape::kToEvent),
        next_(start),
        known_(start) {}

  [[nodiscard]] std::uint32_t next() const noexcept { return next_; }
  void advance() noexcept { ++next_; }

  // Is there an item at next()? `limit` is how far ahead of next() an honest producer can be.
  [[nodiscard]] Verdict look(std::uint32_t limit) noexcept {
    if (next_ != known_) return Verdict::Ready;
    const std::uint32_t snapshot = published_.load(std::memory_order_acquire);
    if (snapshot - next_ > limit) return Verdict::Broken;
    known_ = snapshot;
    return next_ == known_ ? Verdict::Empty : Verdict::Ready;
  }

  [[nodiscard]] Verdict arm(std::uint32_t limit) noexcept {
    if (const Verdict verdict = look(limit); verdict != Verdict::Empty) return verdict;
    event_.store(next_ + 1, std::memory_order_relaxed);
    full_fence();
    return look(limit);
  }

 private:
  SharedIndex published_;
  SharedIndex event_;
  std::uint32_t next_;   // one past the last item consumed
  std::uint32_t known_;  // the last judged snapshot of the peer's producer
};

// The slots, as both halves find them.
class Slots {
 public:
  Slots(std::byte* base, RingShape shape) noexcept
      : first_(base + RingShape::kSlots), count_(shape.slots), slot_bytes_(shape.slot_bytes) {}

  [[nodiscard]] std::uint32_t count() const noexcept { return count_; }

  [[nodiscard]] std::byte* at(std::uint32_t index) const noexcept {
    return first_ + static_cast<std::size_t>(index & (count_ - 1)) * slot_bytes_;
  }

 private:
  std::byte* first_;
  std::uint32_t count_;
  std::uint32_t slot_bytes_;
};

}  // namespace ring_detail

// The frontend's half. `Request` and `Response` fit into a slot of `shape`.
template <SharedRecord Request, SharedRecord Response>
class FrontRing {
 public:
  using Sent = Request;
  using Taken = Response;

  FrontRing(std::byte* base, RingShape shape, std::uint32_t start = 0) noexcept
      : requests_(base + RingShape::kFrontLine, base + RingShape::kBackLine, start),
        responses_(base + RingShape::kFrontLine, base + RingShape::kBackLine, start),
        slots_(base, shape) {}

  [[nodiscard]] std::uint32_t slots() const noexcept { return slots_.count(); }
  // Requests put and not yet answered, published or not.
  [[nodiscard]] std::uint32_t in_flight() const noexcept {
    return requests_.next() - responses_.next();
  }
  [[nodiscard]] std::uint32_t free_slots() const noexcept { return slots_.count() - in_flight(); }

  // Precondition: free_slots() > 0. Invisible to the peer until publish().
  void put(const Request& request) noexcept {
    SharedSlot<Request>(slots_.at(requests_.next())).copy_out(request);
    requests_.advance();
  }
  // True: ring the doorbell.
  [[nodiscard]] bool publish() noexcept { return requests_.publish(); }

  // Copies the next response to `response`. An honest backend answers only what is in flight.
  [[nodiscard]] Verdict take(Response& response) noexcept {
    const Verdict verdict = responses_.look(answerable());
    if (verdict == Verdict::Ready) {
      SharedSlot<Response>(slots_.at(responses_.next())).copy_into(response);
      responses_.advance();
    }
    return verdict;
  }
  // Asks for a doorbell at the next response. Sleep only on Empty.
  [[nodiscard]] Verdict arm() noexcept { return responses_.arm(answerable()); }
  // A look without side effects on shared memory, for polling.
  [[nodiscard]] Verdict peek() noexcept { return responses_.look(answerable()); }

 private:
  // How many responses an honest backend can still give. Xen's check allows a whole ring here.
  [[nodiscard]] std::uint32_t answerable() const noexcept {
    return requests_.visible() - responses_.next();
  }

  ring_detail::Producer requests_;
  ring_detail::Consumer responses_;
  ring_detail::Slots slots_;
};

// The backend's half.
template <SharedRecord Request, SharedRecord Response>
class BackRing {
 public:
  using Sent = Response;
  using Taken = Request;

  BackRing(std::byte* base, RingShape shape, std::uint32_t start = 0) noexcept
      : requests_(base + RingShape::kBackLine, base + RingShape::kFrontLine, start),
        responses_(base + RingShape::kBackLine, base + RingShape::kFrontLine, start),
        slots_(base, shape) {}

  [[nodiscard]] std::uint32_t slots() const noexcept { return slots_.count(); }
  // Requests taken and not yet answered.
  [[nodiscard]] std::uint32_t in_flight() const noexcept {
    return requests_.next() - responses_.next();
  }

  // Copies the next request to `request`. A producer further ahead than the slots that have no
  // response yet is Broken, so a Ready request always has room for its response.
  [[nodiscard]] Verdict take(Request& request) noexcept {
    const Verdict verdict = requests_.look(slots_.count() - in_flight());
    if (verdict == Verdict::Ready) {
      SharedSlot<Request>(slots_.at(requests_.next())).copy_into(request);
      requests_.advance();
    }
    return verdict;
  }

  // Precondition: in_flight() > 0. Invisible to the peer until publish().
  void put(const Response& response) noexcept {
    SharedSlot<Response>(slots_.at(responses_.next())).copy_out(response);
    responses_.advance();
  }
  // True: ring the doorbell.
  [[nodiscard]] bool publish() noexcept { return responses_.publish(); }
  // Asks for a doorbell at the next request. Sleep only on Empty.
  [[nodiscard]] Verdict arm() noexcept { return requests_.arm(slots_.count() - in_flight()); }
  [[nodiscard]] Verdict peek() noexcept { return requests_.look(slots_.count() - in_flight()); }

 private:
  ring_detail::Consumer requests_;
  ring_detail::Producer responses_;
  ring_detail::Slots slots_;
};

}  // namespace cede
