// SPDX-License-Identifier: Apache-2.0
#include "driver_vm/block/block_session.h"

#include <algorithm>

#include "driver_vm/block/block_service.h"

namespace cede::driver {

BlockSession::BlockSession(BlockService& service, std::uint32_t slot, HostedSession& host,
                           const Volume& volume, const block::Info& info)
    : service_(service),
      slot_(slot),
      host_(host),
      volume_(volume),
      info_(info),
      operations_(volume.iops),
      bytes_(volume.bps) {
  const Geometry& geometry = host.geometry();
  for (std::uint32_t i = 0; i < geometry.rings; ++i) {
    rings_.push_back(
        {.ring = {host.memory() + geometry.ring_offset(i), geometry.ring_shape(), host.guard()},
         .ids = std::vector<bool>(geometry.slots)});
  }
}

BlockSession::~BlockSession() {
  service_.forget(*this);
}

// What is held was never begun: the client may send it again.
void BlockSession::stop() {
  serving_ = false;
  if (!held_) return;
  rings_[held_->ring].ids[held_->request.id] = false;
  --in_flight_;
  held_.reset();
}

bool BlockSession::ready(Instant now) noexcept {
  if (!serving_ || (held_ && busy_aside_)) return false;
  if (parked_until_ != kNever) {
    if (now < parked_until_) return false;
    parked_until_ = kNever;
  }
  if (held_) return true;
  return std::ranges::any_of(rings_, [](Ring& ring) { return ring.ring.peek() != Verdict::Empty; });
}

bool BlockSession::within_limits(Instant now) noexcept {
  const bool operations_open = operations_.open(now);
  const bool bytes_open = bytes_.open(now);
  if (operations_open && bytes_open) return true;
  parked_until_ = std::max(operations_.opens_at(now), bytes_.opens_at(now));
  return false;
}

Verdict BlockSession::take(Taken& taken) noexcept {
  if (!serving_) return Verdict::Empty;
  if (held_) {
    if (busy_aside_) return Verdict::Empty;
    taken = *held_;
    held_.reset();
    return Verdict::Ready;
  }
  for (std::size_t tried = 0; tried < rings_.size(); ++tried) {
    const std::uint32_t index = next_ring_;
    next_ring_ = index + 1 == rings_.size() ? 0 : index + 1;
    Ring& ring = rings_[index];
    const Verdict verdict = ring.ring.take(taken.request);
    if (verdict == Verdict::Empty) continue;
    if (verdict == Verdict::Broken) {
      reject("a request producer that cannot be right");
      return verdict;
    }
    const std::uint32_t id = taken.request.id;
    if (id >= ring.ids.size() || ring.ids[id]) {
      reject(id >= ring.ids.size() ? "an id beyond the ring's slots" : "an id already in flight");
      return Verdict::Broken;
    }
    ring.ids[id] = true;
    ++in_flight_;
    taken.ring = index;
    if (!busy_aside_ || taken.request.transfers()) return Verdict::Ready;
    held_ = taken;
    return Verdict::Empty;
  }
  return Verdict::Empty;
}

void BlockSession::reject(std::string_view reason) noexcept {
  stop();
  host_.reject(reason);
}

void BlockSession::charge(std::uint64_t bytes) noexcept {
  operations_.take(1);
  bytes_.take(bytes);
}

void BlockSession::answer(std::uint32_t ring, std::uint32_t id, std::uint32_t status) noexcept {
  rings_[ring].ring.put({.id = id, .status = status});
  rings_[ring].ids[id] = false;
  --in_flight_;
  unpublished_ = true;
}

bool BlockSession::publish() noexcept {
  if (!unpublished_) return false;
  unpublished_ = false;
  for (Ring& ring : rings_) call_owed_ = ring.ring.publish() || call_owed_;
  return true;
}

void BlockSession::call(bool burst_over) noexcept {
  if (call_owed_ && (burst_over || !called_)) {
    host_.call();
    call_owed_ = false;
    called_ = true;
  }
  if (burst_over) called_ = false;
}

bool BlockSession::arm() noexcept {
  // Whatever lets it go on also wakes.
  if (!serving_ || parked_until_ != kNever || held_) return true;
  bool quiet = true;
  for (Ring& ring : rings_) quiet = ring.ring.arm() == Verdict::Empty && quiet;
  return quiet;
}

}  // namespace cede::driver
