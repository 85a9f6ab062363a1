// SPDX-License-Identifier: Apache-2.0
#include "driver_vm/session_host/hosted_session.h"

#include <spdlog/spdlog.h>

#include <utility>

namespace cede::driver {

Result<std::unique_ptr<HostedSession>> HostedSession::make(ControlLink::Incoming offer,
                                                           EventLoop& loop, DeviceStats& stats) {
  const Geometry& geometry = offer.message.geometry;
  if (offer.fd_count != 3 || !geometry.valid()) return Status::Invalid;
  Result<Mapping> region = Mapping::map(offer.fds[0].get(), geometry.bytes());
  if (!region) return region.status();
  const Result<std::uint16_t> buffer = loop.pin({region->data(), region->size()});
  if (!buffer) return buffer.status();
  for (std::uint32_t ring = 0; ring < geometry.rings; ++ring) {
    format_ring(region->data() + geometry.ring_offset(ring));
  }
  return std::unique_ptr<HostedSession>(new HostedSession(offer, loop, stats, *std::move(region),
                                                          *buffer, std::move(offer.fds[1]),
                                                          std::move(offer.fds[2])));
}

HostedSession::HostedSession(const ControlLink::Incoming& offer, EventLoop& loop,
                             DeviceStats& stats, Mapping region, std::uint16_t buffer, Fd kick,
                             Fd call)
    : handle_(offer.message.subject),
      device_(offer.message.device),
      geometry_(offer.message.geometry),
      peer_(offer.message.name),
      loop_(loop),
      stats_(&stats),
      region_(std::move(region)),
      buffer_(buffer),
      kick_(std::move(kick)),
      call_(std::move(call)) {}

HostedSession::~HostedSession() {
  loop_.unpin(buffer_);
}

void HostedSession::call() noexcept {
  call_.ring();
  add(stats_->doorbells);
}

void HostedSession::watch_kicks() {
  wanted_ = true;
  masked_until_ = kNever;
  // A poll whose removal is on its way is renewed when its last completion comes.
  if (polled_) return;
  loop_.watch(kick_.fd(), *this);
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
    masked_until_ = now + deaf;
    spdlog::debug("device {}: kicks from {} announce nothing; not listening for {} us", device_,
                  peer(), deaf / kMicrosecond);
  } else if (now >= masked_until_) {
    watch_kicks();
  }
}

void HostedSession::complete(std::int32_t result, bool more) {
  if (result >= 0) {
    kick_.clear();
    guard_.rung();
    add(stats_->wakeups);
  }
  if (more) return;
  polled_ = false;
  if (wanted_) watch_kicks();
}

}  // namespace cede::driver
