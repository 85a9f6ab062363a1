// SPDX-License-Identifier: Apache-2.0
// The running system: the broker, the driver and client domains, and the grants between them.
//
// Keeps what the description asks for true: a domain that dies is started anew, with new grants,
// and nobody else is touched. One thread, the event loop's.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocols/posix/page_batches.h"
#include "vmm/process/backoff.h"
#include "vmm/supervisor/broker_link.h"
#include "vmm/supervisor/cgroup.h"
#include "vmm/supervisor/disk.h"
#include "vmm/supervisor/domain.h"
#include "vmm/supervisor/driver_vm.h"
#include "vmm/supervisor/event_loop.h"
#include "vmm/supervisor/interfaces.h"
#include "vmm/supervisor/kept_lines.h"
#include "vmm/supervisor/launch_plan.h"
#include "vmm/supervisor/overdue.h"
#include "vmm/supervisor/planned_restart.h"
#include "vmm/supervisor/processor_shares.h"
#include "vmm/supervisor/programs.h"
#include "vmm/supervisor/record.h"
#include "vmm/supervisor/runtime_dir.h"
#include "vmm/supervisor/stats_memory.h"

namespace cede::supervisor {

// What the domains serve and are reached by, opened and locked.
struct Resources {
  std::vector<Disk> disks;
  Interfaces interfaces;
  UidRange uids{};  // empty where we are not root
};

struct DriverDomain {
  const Driver& spec;
  Disk disk;               // a block driver's
  UplinkInterface uplink;  // a switch's
  Domain domain;
  std::unique_ptr<StatsMemory> stats;  // of the current life
  std::vector<Handle> past;            // earlier lives; their sessions may not be home yet
  PlannedRestart restart{};            // the last one, or the one under way
  // A VM's.
  std::unique_ptr<VmConsole> console{};
  std::optional<VmBoot> boot{};  // while it lives

  // Its driver runs: at once, or when its VM has booted.
  [[nodiscard]] bool came_up() const noexcept {
    return domain.running() && (!spec.vm || (boot && boot->ready));
  }
};

struct ClientDomain {
  const Client& spec;
  std::filesystem::path directory;  // of its sockets
  std::vector<OpenInterface> taps;  // of its devices
  Domain domain;
  // JSON, from the frontend's attempts to take pages back; empty unless the client is audited.
  std::unique_ptr<KeptLines> audit;
  std::unique_ptr<OutputPipe> audit_pipe;
  Process vm;
  EventLoop::Registration vm_watch;
  bool awaits_pages = false;  // of its lives under an earlier broker
};

// An attachment as it stands.
struct Link {
  Attachment plan;
  bool wanted = true;
  bool granting = false;  // the broker is being asked
  Handle grant;           // valid while client and driver live
};

class Machine {
 public:
  using Progress = std::function<void(const std::string&)>;

  // What outlives the supervisor: the keeper has its processes and descriptors, the record says
  // how things stand.
  struct Kept {
    KeeperLink& keeper;
    SharedRecord& record;
  };

  // All that is passed by reference has to outlive the machine.
  Machine(EventLoop& loop, Kept kept, const System& system, Resources resources,
          const RuntimeDir& runtime, Progress progress);

  // Starts everything, and waits until all that is to be connected is; then the guests.
  // Throws std::runtime_error.
  void start();
  // Makes a start() that is under way fail.
  void cancel_start();
  // Instead of start(): goes on with what a killed supervisor's record says, as far as the broker's
  // ledger and the kernel say the same, and ends the rest. What is missing begins anew, as after
  // any death. `life` is ours, of which no two are the same.
  void adopt(unsigned life);
  // Brings the record up to date. After each turn of the loop.
  void save() noexcept;
  // Ends everything in order: guests, clients, drivers, broker. True: every page came home.
  [[nodiscard]] bool stop();

  // False from the broker's death until its successor runs. Nothing can be asked for then.
  [[nodiscard]] bool has_broker() const noexcept {
    return broker_ && !broker_exit_ && !broker_->dead();
  }
  // The broker is gone, and there will be no other: nothing can be kept running.
  [[nodiscard]] bool broken() const noexcept { return !has_broker() && !survives_broker(); }

  // What is wrong, or nothing. The change comes about soon after.
  [[nodiscard]] std::string connect(std::string_view client, std::string_view device);
  [[nodiscard]] std::string disconnect(std::string_view client, std::string_view device);
  // Begins a driver's planned restart; DriverDomain::restart tells how far it has got.
  [[nodiscard]] std::string restart(std::string_view driver);

  [[nodiscard]] const System& system() const noexcept { return system_; }
  [[nodiscard]] BrokerLink& broker() noexcept { return *broker_; }
  [[nodiscard]] pid_t broker_pid() const noexcept { return broker_process_.pid(); }
  [[nodiscard]] std::uint32_t broker_lives() const noexcept { return broker_lives_; }
  [[nodiscard]] bool sealed() const noexcept { return sealed_; }
  [[nodiscard]] const SystemCgroup& cgroup() const noexcept { return cgroup_; }
  [[nodiscard]] const ProcessorShares& processors() const noexcept { return processors_; }
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
  static constexpr rlim_t kOpenFiles = 4096;  // of each program
  // What is left with the keeper: our end of the broker's socket; a driver's counters, after its
  // name.
  static constexpr const char* kBrokerLink = "broker/link";
  static constexpr const char* kStats = "/stats";

  using Phase = Record::Phase;

  void make_cgroups();
  void start_broker();
  void watch_broker(Fd link, std::uint32_t last_tag);
  void start_driver(std::size_t index);
  void start_driver_vm(std::size_t index);
  void watch_boot(std::size_t index, Fd ready);
  // Forgets how far it had come. Returns why it ended, in more words.
  [[nodiscard]] static std::string vm_ended(DriverDomain& driver, const std::string& how);
  [[nodiscard]] Launch driver_launch(std::size_t index);
  [[nodiscard]] Launch switch_launch(std::size_t index);
  void start_client(std::size_t index);
  void start_vm(ClientDomain& client);
  void watch_vm(ClientDomain& client);
  void driver_ended(std::size_t index, const std::string& how);
  void client_ended(std::size_t index, const std::string& how);
  // Starts a domain's next life after a while, if there is to be one.
  void revive(Domain& domain, const std::string& how, const EventLoop::Callback& again);
  // The same, now.
  void begin_life(Domain& domain, const std::string& how, const EventLoop::Callback& again);
  void handle_events();

  void end_strangers(const Record& record);
  void adopt_domains(const Record& record);
  void adopt_links(const Record& record);
  void reconcile();

  void broker_ended();
  void outlive_broker();
  // Pages that nobody accounts for any more are proven free by the cgroup alone, and what is sealed
  // has been promised that nothing is created.
  [[nodiscard]] bool survives_broker() const noexcept {
    return phase_ == Phase::Running && !sealed_ && cgroup_;
  }
  void renew_broker_later();
  void renew_broker();
  void return_clients();

  // Looks at the interfaces whenever one of a namespace that has some of ours changes.
  void watch_interfaces();
  void look_at_interfaces();

  void grant_due();
  // Revokes the link's grant, and so ends its session.
  Status take_back(Link& link);
  // From here on, ends the client whose pages do not come home in bounded time.
  void watch_returns();
  [[nodiscard]] std::string label(const Link& link) const;  // CLIENT/DEVICE
  [[nodiscard]] bool has_old_session(const Link& link);
  // All that is wanted, to drivers that are all ready.
  [[nodiscard]] bool all_connected();
  void wait_connected();
  // How long that may take: a driver VM has to boot first.
  [[nodiscard]] std::chrono::seconds connect_limit() const;
  [[nodiscard]] std::string why_not_connected();
  [[nodiscard]] Link* find_link(std::string_view client, std::string_view device) noexcept;

  void go_on_with_restart(std::size_t driver);
  void restarted_life_ended(std::size_t driver);
  [[nodiscard]] bool has_returned(const PlannedRestart& restart,
                                  const std::vector<LedgerRow>& sessions) const;

  void stop_guests();
  void stop_domains();
  [[nodiscard]] bool pages_are_home();
  // Whether all are gone.
  [[nodiscard]] bool remove_cgroups();

  EventLoop& loop_;
  KeeperLink& keeper_;
  SharedRecord& record_;
  const System& system_;
  const RuntimeDir& runtime_;
  const Programs programs_;
  Progress progress_;
  SystemCgroup cgroup_;
  ProcessorShares processors_;
  Phase phase_ = Phase::Starting;
  bool sealed_ = false;
  std::string failure_;  // what ended while starting

  BoundedLog broker_log_;
  OutputPipe broker_output_;
  Process broker_process_;
  EventLoop::Registration broker_watch_;
  std::optional<std::string> broker_exit_;
  std::chrono::steady_clock::time_point broker_started_;
  std::uint32_t broker_lives_ = 0;
  Backoff broker_backoff_;
  EventLoop::Registration renewal_;
  std::unique_ptr<BrokerLink> broker_;
  EventLoop::Registration broker_events_;
  EventLoop::Registration kept_events_;
  PageBatches batches_;

  std::vector<std::unique_ptr<DriverDomain>> drivers_;
  std::vector<std::unique_ptr<ClientDomain>> clients_;
  std::vector<Link> links_;
  EventLoop::Registration grant_timer_;
  OverdueSessions overdue_;
  EventLoop::Registration return_look_;
  std::vector<Fd> link_watches_;  // one for each namespace that has an interface of ours
  std::vector<EventLoop::Registration> link_changes_;
  EventLoop::Registration link_pause_;
};

}  // namespace cede::supervisor
