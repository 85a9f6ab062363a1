// SPDX-License-Identifier: Apache-2.0
// The driver's end of its capability: takes offered sessions in, hands them to the device
// class, and lets them go when they close. Knows nothing of what a device does.
//
//   Offer      map, pin, format the rings, ask the device class; answer Mapped or Refuse
//   Connected  watch the kicks, start the device session
//   Closing, or the client broke the protocol (then Close is sent first), or the driver shuts down
//              stop the device session; when it is drained: unpin, unmap, Release
//   Closed     the session is forgotten; as above, without Release, where it was still held
//
// The broker is trusted and its messages are taken at their word; what can go wrong for want of
// resources is refused with a reason. One thread: the loop's.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <vector>

#include "driver_vm/engine/event_loop.h"
#include "driver_vm/session_host/capability.h"
#include "driver_vm/session_host/device_service.h"
#include "driver_vm/session_host/hosted_session.h"
#include "protocols/control.h"
#include "protocols/stats.h"

namespace cede::driver {

class SessionHost final : private Event {
 public:
  static constexpr std::size_t kMaxSessions = kMaxDevices;

  // All four outlive the host.
  SessionHost(Capability& capability, EventLoop& loop, DeviceService& service, StatsPage& stats);
  ~SessionHost();

  // Begins to listen. After EventLoop::start().
  void start();
  // Control messages, storms and closings that are due. Cheap when there are none.
  void turn(Instant now);
  // When turn() has something to do without any event.
  [[nodiscard]] Instant deadline() const noexcept;

  // Closes every session, oldest first, and takes no new one.
  void shut_down();
  [[nodiscard]] bool shutting_down() const noexcept { return shutting_down_; }
  // The broker is gone, or shut_down() was called, and no session is left.
  [[nodiscard]] bool finished() const noexcept;

 private:
  struct Tenant {
    std::unique_ptr<HostedSession> session;
    std::unique_ptr<DeviceSession> device;  // destroyed first
    bool closing = false;
    bool release_owed = true;
  };

  void complete(std::int32_t result, bool more) override;
  void receive();
  void handle(Capability::Incoming incoming);
  void offered(Capability::Incoming incoming);
  [[nodiscard]] Status admit(Capability::Incoming incoming, DeviceInfo& info);
  void connected(Tenant& tenant);
  void begin_closing(Tenant& tenant);
  void let_go_of_drained();
  [[nodiscard]] Tenant* find(Handle session) noexcept;
  void send(MessageType type, Handle session, Status status = Status::Ok,
            const DeviceInfo& info = {});

  Capability& capability_;
  EventLoop& loop_;
  DeviceService& service_;
  StatsPage& stats_;
  std::vector<Tenant> tenants_;   // oldest first
  std::deque<Handle> refused_;    // lately
  bool message_waiting_ = false;  // the capability was reported readable
  bool shutting_down_ = false;
  bool broker_gone_ = false;
};

}  // namespace cede::driver
