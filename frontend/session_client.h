// SPDX-License-Identifier: Apache-2.0
// The client domain's end of its capability socket: turns grants into connected sessions, one for
// each configured device, and keeps doing so over the deaths of drivers.
//
// No thread and no event loop of its own: call service() when fd() is readable and when
// next_deadline() has passed, from one thread. What happens is told to the observer, from within
// service(). Protocol: protocols/control.h; the order of events: device_connection.h.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "frontend/device_connection.h"
#include "frontend/session.h"
#include "protocols/posix/control_link.h"
#include "protocols/status.h"

namespace cede::frontend {

// Hears what becomes of each device, by its index in the configuration. May call back into the
// client.
class SessionObserver {
 public:
  virtual ~SessionObserver() = default;

  // A session is ready: the rings are formatted and sealed off, and nobody takes a page back.
  virtual void connected(std::size_t device, Session session) = 0;
  // The session ends: drop it, then call released(). Gone: its driver died. The operations in
  // flight will not be answered; they are for the next session.
  virtual void ending(std::size_t device, Status reason) = 0;
  // An attempt to connect failed; for the log. The client tries again by itself, unless the reason
  // is one that only a new grant can cure.
  virtual void failed(std::size_t device, Status reason) = 0;
};

class SessionClient {
 public:
  using TimePoint = DeviceConnection::TimePoint;

  struct DeviceConfig {
    std::string name;  // as in Granted; empty: whatever is granted first
    Geometry geometry;
    bool keep_region_fd = false;  // for a revocation audit
  };

  // The observer has to outlive the client.
  SessionClient(Fd capability, const std::vector<DeviceConfig>& devices, SessionObserver& observer);

  [[nodiscard]] int fd() const noexcept { return link_.fd(); }
  [[nodiscard]] std::optional<TimePoint> next_deadline() const noexcept;

  // Reads what came, acts on it, and sends what is due. Gone: the broker closed the socket, the
  // domain has no future. Any other failure ends the domain as well.
  [[nodiscard]] Status service(TimePoint now);

  // The owner has dropped the session that ending() was about.
  void released(std::size_t device, TimePoint now) noexcept;
  // Ends the device's session, for example because its driver broke the protocol (`why` is what the
  // driver is told); ending() will follow, and after it another session.
  void end(std::size_t device, Status why) noexcept;
  // Ends every session, each with its ending(), and makes no other.
  void stop() noexcept;
  // Every session was let go: after stop(), the domain may exit.
  [[nodiscard]] bool idle() const noexcept;

  [[nodiscard]] std::string_view name(std::size_t device) const noexcept;

 private:
  struct Device {
    DeviceConnection connection;
    bool keep_region_fd;
    std::optional<Session> offered;  // mapped, and not yet handed over
  };

  void receive(ControlLink::Incoming incoming, TimePoint now);
  void map_offer(std::size_t index, ControlLink::Incoming& offer);
  [[nodiscard]] Status send_due(TimePoint now);

  ControlLink link_;
  SessionObserver& observer_;
  std::vector<Device> devices_;
  std::optional<TimePoint> resend_at_;  // the socket was full
};

}  // namespace cede::frontend
