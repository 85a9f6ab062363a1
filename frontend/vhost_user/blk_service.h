// SPDX-License-Identifier: Apache-2.0
// The whole of cede-frontend at work: devices of one client domain, from the broker's grants on one
// side to front-ends' connections on the other, on one thread.
//
// A device's socket is listened on from the moment its volume's properties are known, which is when
// its first session is connected, and not before: QEMU 7.2 never recovers from a back-end that
// accepts a connection it cannot serve. Sessions may come and go after that; the front-end sees a
// pause. One front-end at a time; a second one waits in the socket's backlog.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "frontend/event_loop.h"
#include "frontend/session_client.h"
#include "frontend/vhost_user/blk_device.h"
#include "frontend/vhost_user/blk_endpoint.h"
#include "frontend/vhost_user/idle_policy.h"

namespace cede::vhost_user {

struct ServiceOptions {
  struct Device {
    std::string name;  // as granted; empty: the first grant
    // Bound or listening: front-ends connect to it. Connected: the one front-end.
    Fd socket;
    std::uint16_t queues = 1;
    std::uint32_t slots = 128;
    std::uint32_t pages = 4096;
  };

  Fd capability;
  std::vector<Device> devices;
  bool read_only = false;
  int audit_fd = -1;  // one line for each device after its first connect; see revocation_audit.h
};

class BlkService : private frontend::SessionObserver {
 public:
  // Throws std::system_error where the kernel refuses what a process needs.
  explicit BlkService(ServiceOptions options);
  ~BlkService() override;

  // Until SIGTERM or SIGINT (which have to be blocked), the end of the capability socket, or that
  // of the only front-end of a connected socket. The process's exit status.
  [[nodiscard]] int run();

 private:
  using Clock = std::chrono::steady_clock;

  struct Device {
    ServiceOptions::Device options;
    frontend::EventLoop::Watch connecting;  // on options.socket
    frontend::EventLoop::Watch called;      // on the session's call
    std::unique_ptr<BlkDevice> device;      // from its first session on
    std::unique_ptr<BlkEndpoint> endpoint;  // while a front-end is connected
    bool audited = false;
    bool ending = false;  // its session was asked to end
  };

  void connected(std::size_t index, frontend::Session session) override;
  void ending(std::size_t index, Status reason) override;
  void failed(std::size_t index, Status reason) override;

  void audit(std::size_t index, frontend::Session& session);
  void serve(std::size_t index);
  void accept(std::size_t index);
  void service_client();
  void begin_stop();

  [[nodiscard]] static bool breaks(const Device& device) noexcept;
  bool progress();
  void housekeep(Clock::time_point now);
  void sleep(Clock::time_point last_moved);
  [[nodiscard]] std::chrono::nanoseconds time_to_deadline(Clock::time_point now) const;

  ServiceOptions options_;
  frontend::EventLoop loop_;
  std::vector<Device> devices_;
  frontend::SessionClient client_;
  IdlePolicy idle_;
  Fd signals_;
  frontend::EventLoop::Watch signalled_;
  frontend::EventLoop::Watch controlled_;
  std::optional<Clock::time_point> stop_until_;  // stopping: no longer than this
  std::optional<int> exit_status_;
};

}  // namespace cede::vhost_user
