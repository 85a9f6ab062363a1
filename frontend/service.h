// SPDX-License-Identifier: Apache-2.0
// The whole of cede-frontend at work: the devices of one client domain, from the broker's grants on
// one side to their users on the other, on one thread.
//
// While anything moves, passes over all devices follow each other; when nothing does, the service
// polls for as long as that has been paying (IdlePolicy), and then sleeps until a descriptor that
// somebody watches is ready or something is due.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "frontend/client_device.h"
#include "frontend/event_loop.h"
#include "frontend/idle_policy.h"
#include "frontend/session_client.h"

namespace cede::frontend {

struct ServiceOptions {
  struct Device {
    std::string name;  // as granted; empty: the first grant
    std::unique_ptr<ClientDevice> device;
  };

  Fd capability;
  std::vector<Device> devices;
  int audit_fd = -1;  // one line for each device after its first connect; see revocation_audit.h
};

class Service : private SessionObserver {
 public:
  // `loop` is the one that the devices were made with, and outlives the service. Throws
  // std::system_error where the kernel refuses what a process needs.
  Service(EventLoop& loop, ServiceOptions options);
  ~Service() override;

  // Until SIGTERM or SIGINT (which have to be blocked), the end of the capability socket, or a
  // device that is not serving any more. The process's exit status.
  [[nodiscard]] int run();

 private:
  using Clock = std::chrono::steady_clock;

  struct Device {
    std::unique_ptr<ClientDevice> device;
    bool audited = false;
    bool ending = false;  // its session was asked to end
  };

  void connected(std::size_t index, Session session) override;
  void ending(std::size_t index, Status reason) override;
  void failed(std::size_t index, Status reason) override;

  void audit(std::size_t index, Session& session);
  void service_client();
  void begin_stop();

  [[nodiscard]] static bool breaks(const Device& device) noexcept;
  bool progress();
  void housekeep(Clock::time_point now);
  void sleep(Clock::time_point last_moved);
  [[nodiscard]] std::chrono::nanoseconds time_to_deadline(Clock::time_point now) const;

  EventLoop& loop_;
  int audit_fd_;
  std::vector<Device> devices_;
  SessionClient client_;
  IdlePolicy idle_;
  Fd signals_;
  EventLoop::Watch signalled_;
  EventLoop::Watch controlled_;
  std::optional<Clock::time_point> stop_until_;  // stopping: no longer than this
  std::optional<int> exit_status_;
};

}  // namespace cede::frontend
