// SPDX-License-Identifier: Apache-2.0
#include "driver_vm/session_host/hosted_session.h"

#include <spdlog/spdlog.h>

#include <utility>

namespace cede::driver {

Result<std::unique_ptr<HostedSession>> HostedSession::make(Capability::Incoming offer,
                                                           EventLoop& loop, DeviceStats& stats) {
  const Geometry& geometry = offer.message.geometry;
  if (offer.ends == nullptr || !geometry.valid()) return Status::Invalid;
  const Result<std::span<std::byte>> region = offer.ends->map(geometry.bytes());
  if (!region) return region.status();
  const Result<std::uint16_t> buffer =
      offer.ends->pinnable() ? loop.pin(*region) : Result(EventLoop::kNotPinned);
  if (!buffer) return buffer.status();
  for (std::uint32_t ring = 0; ring < geometry.rings; ++ring) {
    format_ring(region->data() + geometry.ring_offset(ring));
  }
  return std::unique_ptr<HostedSession>(
      new HostedSession(std::move(offer), loop, stats, *region, *buffer));
}

HostedSession::HostedSession(Capability::Incoming offer, EventLoop& loop, DeviceStats& stats,
                             std::span<std::byte> region, std::uint16_t buffer)
    : handle_(offer.message.subject),
      device_(offer.message.device),
      geometry_(offer.message.geometry),
      peer_(offer.message.name),
      loop_(loop),
      stats_(&stats),
      ends_(std::move(offer.ends)),
      region_(region),
      buffer_(buffer) {}

HostedSession::~HostedSession() {
  if (buffer_ != EventLoop::kNotPinned) loop_.unpin(buffer_);
}

void HostedSession::call() noexcept {
  ends_->call();
  add(stats_->doorbells);
}

void HostedSession::watch_kicks() {
  wanted_ = true;
  masked_until_ = kNever;
  // A poll whose removal is on its way is renewed when its last completion comes.
  if (polled_) return;
  loop_.watch(ends_->kick_fd(), *this);
  polled_ = true;
}

void HostedSession::ignore_kicks() {
  wanted_ = false;
  masked_until_ = kNever;
  if (polled_) loop_.unwatch(*this);
}

void HostedSession::guard_kicks(Instant now) {
  if (const Duration deaf = guard_.judge(now); deaf != 0) {
    ignore_kicks();
    ends_->hold_kicks(deaf);
    masked_until_ = now + deaf;
    spdlog::debug("device {}: kicks from {} announce nothing; not listening for {} us", device_,
                  peer(), deaf / kMicrosecond);
  } else if (now >= masked_until_) {
    watch_kicks();
  }
}

void HostedSession::complete(std::int32_t result, bool more) {
  if (result >= 0) {
    ends_->clear_kick();
    guard_.rung();
    add(stats_->wakeups);
  }
  if (more) return;
  polled_ = false;
  if (wanted_) watch_kicks();
}

}  // namespace cede::driver
