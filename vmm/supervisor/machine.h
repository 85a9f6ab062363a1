// SPDX-License-Identifier: Apache-2.0
// The running system: the broker, the driver and client domains, and the grants between them.
//
// Keeps what the description asks for true: a domain that dies is started anew, with new grants,
// and nobody else is touched. One thread, the event loop's.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vmm/supervisor/broker_link.h"
#include "vmm/supervisor/cgroup.h"
#include "vmm/supervisor/disk.h"
#include "vmm/supervisor/domain.h"
#include "vmm/supervisor/event_loop.h"
#include "vmm/supervisor/interfaces.h"
#include "vmm/supervisor/launch_plan.h"
#include "vmm/supervisor/planned_restart.h"
#include "vmm/supervisor/programs.h"
#include "vmm/supervisor/runtime_dir.h"
#include "vmm/supervisor/stats_memory.h"

namespace cede::supervisor {

// What the domains serve and are reached by, opened and locked.
struct Resources {
  std::vector<Disk> disks;
  Interfaces interfaces;
};

struct DriverDomain {
  const Driver& spec;
  Disk disk;               // a block driver's
  UplinkInterface uplink;  // a switch's
  Domain domain;
  std::unique_ptr<StatsMemory> stats;  // of the current life
  std::vector<Handle> past;            // earlier lives; their sessions may not be home yet
  PlannedRestart restart{};            // the last one, or the one under way
};

struct ClientDomain {
  const Client& spec;
  std::filesystem::path directory;  // of its sockets
  std::vector<OpenInterface> taps;  // of its devices
  Domain domain;
  RecentLines audit;  // JSON, from the frontend's attempts to take pages back
  std::unique_ptr<OutputPipe> audit_pipe;
  Process vm;
  EventLoop::Registration vm_watch;
};

// An attachment as it stands.
struct Link {
  Attachment plan;
  bool wanted = true;
  Handle grant;                      // valid while client and driver live
  EventLoop::Registration patience;  // with a client that was told to let go
};

class Machine {
 public:
  using Progress = std::function<void(const std::string&)>;

  // The system, directory and loop have to outlive the machine.
  Machine(EventLoop& loop, const System& system, Resources resources, const RuntimeDir& runtime,
          Progress progress);

  // Starts everything, and waits until all that is to be connected is; then the guests.
  // Throws std::runtime_error.
  void start();
  // Makes a start() that is under way fail.
  void cancel_start();
  // Ends everything in order: guests, clients, drivers, broker. True: every page came home.
  [[nodiscard]] bool stop();

  // The broker is gone: nothing can be kept running.
  [[nodiscard]] bool broken() const noexcept { return broker_exit_.has_value() || broker_->dead(); }

  // What is wrong, or nothing. The change comes about soon after.
  [[nodiscard]] std::string connect(std::string_view client, std::string_view device);
  [[nodiscard]] std::string disconnect(std::string_view client, std::string_view device);
  // Begins a driver's planned restart; DriverDomain::restart tells how far it has got.
  [[nodiscard]] std::string restart(std::string_view driver);

  [[nodiscard]] const System& system() const noexcept { return system_; }
  [[nodiscard]] BrokerLink& broker() noexcept { return *broker_; }
  [[nodiscard]] pid_t broker_pid() const noexcept { return broker_process_.pid(); }
  [[nodiscard]] bool sealed() const noexcept { return sealed_; }
  [[nodiscard]] const SystemCgroup& cgroup() const noexcept { return cgroup_; }
  [[nodiscard]] const std::vector<std::unique_ptr<DriverDomain>>& drivers() const noexcept {
    return drivers_;
  }
  [[nodiscard]] const std::vector<std::unique_ptr<ClientDomain>>& clients() const noexcept {
    return clients_;
  }
  // Of its switches.
  [[nodiscard]] Mtus mtus() const;
  [[nodiscard]] const std::vector<Link>& links() const noexcept { return links_; }
  // The session on a link's current grant, of all sessions.
  [[nodiscard]] const LedgerRow* session_of(const Link& link,
                                            const std::vector<LedgerRow>& sessions) const noexcept;

 private:
  void start_broker();
  void start_driver(std::size_t index);
  [[nodiscard]] Launch driver_launch(std::size_t index);
  [[nodiscard]] Launch switch_launch(std::size_t index);
  void start_client(std::size_t index);
  void start_vm(ClientDomain& client);
  void driver_ended(std::size_t index, const std::string& how);
  void client_ended(std::size_t index, const std::string& how);
  void broker_ended();
  // Starts a domain's next life, if there is to be one.
  void revive(Domain& domain, const std::string& how, const EventLoop::Callback& again);
  void handle_events();
  // Looks at the interfaces whenever one of a namespace that has some of ours changes.
  void watch_interfaces();
  void look_at_interfaces();

  void grant_due();
  // Revokes the link's grant, on which `session`, if there is one, ends.
  Status take_back(Link& link, const LedgerRow* session);
  // The client has to let go of a session in bounded time, or it is ended.
  void await_return(Link& link, Handle session);
  [[nodiscard]] std::string label(const Link& link) const;  // CLIENT/DEVICE
  [[nodiscard]] bool has_old_session(const Link& link);
  [[nodiscard]] bool all_connected();
  void wait_connected();
  [[nodiscard]] std::string why_not_connected();
  [[nodiscard]] Link* find_link(std::string_view client, std::string_view device) noexcept;

  void go_on_with_restart(std::size_t driver);
  void restarted_life_ended(std::size_t driver);
  [[nodiscard]] bool has_returned(const PlannedRestart& restart,
                                  const std::vector<LedgerRow>& sessions) const;

  void stop_guests();
  void stop_domains();
  void close_interfaces();
  [[nodiscard]] bool pages_are_home();

  EventLoop& loop_;
  const System& system_;
  const RuntimeDir& runtime_;
  const Programs programs_;
  Progress progress_;
  UidRange uids_;  // empty where we are not root
  SystemCgroup cgroup_;
  enum class Phase { Starting, Running, Stopping } phase_ = Phase::Starting;
  bool sealed_ = false;
  std::string failure_;  // what ended while starting

  BoundedLog broker_log_;
  OutputPipe broker_output_;
  Process broker_process_;
  EventLoop::Registration broker_watch_;
  std::optional<std::string> broker_exit_;
  std::unique_ptr<BrokerLink> broker_;
  EventLoop::Registration broker_events_;
  EventLoop::Registration kept_events_;

  std::vector<std::unique_ptr<DriverDomain>> drivers_;
  std::vector<std::unique_ptr<ClientDomain>> clients_;
  std::vector<Link> links_;
  EventLoop::Registration grant_timer_;
  std::vector<Fd> link_watches_;  // one for each namespace that has an interface of ours
  std::vector<EventLoop::Registration> link_changes_;
  EventLoop::Registration link_pause_;
};

}  // namespace cede::supervisor
