// SPDX-License-Identifier: Apache-2.0
// The seam between the session host, which knows sessions and no devices, and a device class
// (block, net), which knows requests and no sockets.
//
// All calls come from the worker's one thread.
#pragma once

#include <memory>

#include "driver_vm/clock.h"
#include "protocols/control.h"
#include "protocols/status.h"

namespace cede::driver {

class HostedSession;

// What a device class keeps for one session.
class DeviceSession {
 public:
  DeviceSession() = default;
  DeviceSession(const DeviceSession&) = delete;
  DeviceSession& operator=(const DeviceSession&) = delete;
  // Comes after drained(), and before the region goes.
  virtual ~DeviceSession() = default;

  // The session is connected: its rings may be looked at from now on.
  virtual void start() = 0;
  // Take nothing more; finish and answer what was taken.
  virtual void stop() = 0;
  // Nothing that was taken is unanswered, and nothing touches the region any more.
  [[nodiscard]] virtual bool drained() const = 0;
};

class DeviceService {
 public:
  DeviceService() = default;
  DeviceService(const DeviceService&) = delete;
  DeviceService& operator=(const DeviceService&) = delete;
  virtual ~DeviceService() = default;

  // A session was offered, its region is mapped and its rings are formatted. Fills `info` for the
  // client, or says why not. `session` outlives the DeviceSession.
  [[nodiscard]] virtual Result<std::unique_ptr<DeviceSession>> accept(HostedSession& session,
                                                                      DeviceInfo& info) = 0;

  // One bounded round of work over all sessions. True: there was some.
  virtual bool turn(Instant now) = 0;
  // Shows the frontends what was answered since the last time. True: there was something.
  virtual bool publish() = 0;
  // Before sleeping: has every ring kick at the next request. False: there is work now.
  [[nodiscard]] virtual bool arm() = 0;
  // Work that no event announces falls due then.
  [[nodiscard]] virtual Instant deadline() const = 0;
  // Before the program ends, with no session left: what was written must stay.
  virtual void settle() = 0;
};

}  // namespace cede::driver
