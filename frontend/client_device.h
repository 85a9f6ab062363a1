// SPDX-License-Identifier: Apache-2.0
// One device of the client domain as cede-frontend serves it: sessions of a driver on one side, its
// user (a VMM, a TAP) on the other. The service (frontend/service.h) owns the devices, connects
// their sessions, and gives each its turn.
//
// Threads: everything is called on the service's thread, and nothing may block there.
//
// What a device waits for, it watches itself on the EventLoop that it was made with: its session's
// wait_fd() (and clears it when it is called), its user's descriptors. A watch wakes the service,
// and the next progress() does the work; a handler does no more than take the wake-up away.
//
// A device is made before any session exists, and before the process is locked down: what needs a
// privilege or a path belongs into its constructor. It outlives its sessions: between two of them
// it keeps its user waiting, or lets it work in vain, as its kind demands.
#pragma once

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>

#include "frontend/session.h"
#include "protocols/status.h"

namespace cede::frontend {

class ClientDevice {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  enum class State : std::uint8_t {
    Serving,
    Finished,  // its only user has gone: the service stops in good order
    Failed,    // it cannot serve, and has logged why: the process ends with an error
  };

  ClientDevice() = default;
  ClientDevice(const ClientDevice&) = delete;
  ClientDevice& operator=(const ClientDevice&) = delete;
  virtual ~ClientDevice() = default;

  // What the broker is asked for, each time.
  [[nodiscard]] virtual Geometry geometry() const noexcept = 0;

  // A session, the device's own until ending(). `name` is the device's, as granted. Anything but
  // Ok: the session is dropped already (the driver's description makes no sense), and the service
  // ends it with that status.
  [[nodiscard]] virtual Status connected(std::string_view name, Session session) = 0;
  // The session is over: the device drops it before it returns, watch, mapping and doorbells. Also
  // called where connected() has failed.
  virtual void ending() = 0;
  // The driver broke the protocol of the present session: the service ends it, once.
  [[nodiscard]] virtual bool broken() const noexcept = 0;

  // One pass of bounded length over everything that there is to do. True: something moved.
  virtual bool progress() = 0;
  // Before sleeping: asks to be woken by whatever it waits for. True: do not sleep, there is
  // something to do.
  [[nodiscard]] virtual bool arm() = 0;

  // What is due by time, or is no part of the data's way: now and then, and before each sleep.
  virtual void tick(TimePoint now) = 0;
  // When tick() is due though nothing else happens.
  [[nodiscard]] virtual std::optional<TimePoint> deadline() const noexcept = 0;
  [[nodiscard]] virtual State state() const noexcept = 0;

 protected:
  // Of several deadlines.
  [[nodiscard]] static std::optional<TimePoint> earliest(
      std::initializer_list<std::optional<TimePoint>> times) noexcept {
    std::optional<TimePoint> first;
    for (const std::optional<TimePoint>& time : times) {
      if (time && (!first || *time < *first)) first = time;
    }
    return first;
  }
};

}  // namespace cede::frontend
