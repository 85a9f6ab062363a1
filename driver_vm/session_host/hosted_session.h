// SPDX-License-Identifier: Apache-2.0
// One session as the driver holds it: the mapped region, pinned where that is possible, and both
// doorbells.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "driver_vm/engine/event_loop.h"
#include "driver_vm/session_host/capability.h"
#include "driver_vm/session_host/counters.h"
#include "driver_vm/session_host/device_service.h"
#include "protocols/bell_guard.h"
#include "protocols/control.h"

namespace cede::driver {

class HostedSession final : private Event {
 public:
  // Maps and pins the offered region and formats its rings. Invalid: not a well-formed offer.
  // NoMemory: over RLIMIT_MEMLOCK. `loop` and `stats` outlive the session.
  [[nodiscard]] static Result<std::unique_ptr<HostedSession>> make(Capability::Incoming offer,
                                                                   EventLoop& loop,
                                                                   DeviceStats& stats);
  // Precondition: released_by_kernel().
  ~HostedSession();

  // For the device class.

  [[nodiscard]] std::uint32_t device() const noexcept { return device_; }
  [[nodiscard]] const Geometry& geometry() const noexcept { return geometry_; }
  [[nodiscard]] std::byte* memory() const noexcept { return region_.data(); }
  // The region's index among the loop's fixed buffers; EventLoop::kNotPinned where it has none.
  [[nodiscard]] std::uint16_t buffer() const noexcept { return buffer_; }
  [[nodiscard]] BellGuard& guard() noexcept { return guard_; }
  [[nodiscard]] DeviceStats& stats() const noexcept { return *stats_; }
  // Wakes the client.
  void call() noexcept;
  // The client broke the protocol: the host will close the session. Only the first reason counts.
  void reject(std::string_view reason) noexcept {
    if (rejected_.empty()) rejected_ = reason;
  }

  // For the session host.

  [[nodiscard]] Handle handle() const noexcept { return handle_; }
  [[nodiscard]] std::string_view peer() const noexcept { return peer_.view(); }
  // Why the session has to end; empty: it need not.
  [[nodiscard]] std::string_view rejected() const noexcept {
    return ends_->taken_back() ? "its memory was taken back" : rejected_;
  }
  void watch_kicks();
  void ignore_kicks();
  // Judges the kicks since the last call, masks a storm, and unmasks it when its time is over.
  void guard_kicks(Instant now);
  // When guard_kicks() has something to do without any event.
  [[nodiscard]] Instant deadline() const noexcept { return masked_until_; }
  // No poll of the kick is on its way any more.
  [[nodiscard]] bool released_by_kernel() const noexcept { return !polled_; }

 private:
  HostedSession(Capability::Incoming offer, EventLoop& loop, DeviceStats& stats,
                std::span<std::byte> region, std::uint16_t buffer);
  void complete(std::int32_t result, bool more) override;

  Handle handle_;
  std::uint32_t device_;
  Geometry geometry_;
  Name peer_;
  EventLoop& loop_;
  DeviceStats* stats_;
  std::unique_ptr<SessionEnds> ends_;
  std::span<std::byte> region_;
  std::uint16_t buffer_;
  BellGuard guard_;
  bool wanted_ = false;  // kicks are to be watched
  bool polled_ = false;  // the kernel has a poll of ours
  Instant masked_until_ = kNever;
  std::string_view rejected_;  // literals only
};

}  // namespace cede::driver
