// SPDX-License-Identifier: Apache-2.0
#include "driver_vm/block/block_session.h"

#include <algorithm>
#include <utility>

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
         .flights = std::vector<Flight>(geometry.slots)});
  }
}

BlockSession::~BlockSession() {
  service_.forget(*this);
}

// What is held never ends: the client may send it again.
void BlockSession::stop() {
  serving_ = false;
  if (!held_) return;
  rings_[held_->ring].flights[held_->request.id].abandoned = true;
  static_cast<void>(done(held_->ring, held_->request.id, VIRTIO_BLK_S_OK));
  held_.reset();
}

bool BlockSession::ready(Instant now) noexcept {
  if (!serving_ || waits_aside()) return false;
  if (parked_until_ != kNever) {
    if (now < parked_until_) return false;
    parked_until_ = kNever;
  }
  if (held_) return true;
  return std::ranges::any_of(rings_, [](Ring& ring) { return ring.ring.peek() != Verdict::Empty; });
}

bool BlockSession::within_limits(Instant now) noexcept {
  // The rest of a transfer is no operation more.
  const bool operations_open = (held_ && held_->begun != 0) || operations_.open(now);
  const bool bytes_open = bytes_.open(now);
  if (operations_open && bytes_open) return true;
  parked_until_ = bytes_.opens_at(now);
  if (!operations_open) parked_until_ = std::max(parked_until_, operations_.opens_at(now));
  return false;
}

Verdict BlockSession::take(Taken& taken) noexcept {
  if (!serving_ || waits_aside()) return Verdict::Empty;
  if (held_) {
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
    if (id >= ring.flights.size() || ring.flights[id].pieces != 0) {
      reject(id >= ring.flights.size() ? "an id beyond the ring's slots"
                                       : "an id already in flight");
      return Verdict::Broken;
    }
    ring.flights[id].pieces = 1;
    ++in_flight_;
    taken.ring = index;
    taken.begun = 0;
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

void BlockSession::keep_rest(const Taken& taken, std::uint32_t piece) noexcept {
  ++rings_[taken.ring].flights[taken.request.id].pieces;
  held_ = taken;
  held_->begun += piece;
}

std::optional<std::uint32_t> BlockSession::done(std::uint32_t ring, std::uint32_t id,
                                                std::uint32_t status) noexcept {
  Flight& flight = rings_[ring].flights[id];
  if (status != VIRTIO_BLK_S_OK) flight.status = status;
  if (--flight.pieces != 0) return std::nullopt;
  const Flight flown = std::exchange(flight, {});
  --in_flight_;
  if (flown.abandoned) return std::nullopt;
  rings_[ring].ring.put({.id = id, .status = flown.status});
  unpublished_ = true;
  return flown.status;
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
