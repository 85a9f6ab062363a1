// SPDX-License-Identifier: Apache-2.0
#include "vmm/supervisor/machine.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "vmm/supervisor/size.h"
#include "vmm/supervisor/vm_file.h"

namespace cede::supervisor {
namespace {

using std::chrono::milliseconds;

constexpr std::chrono::seconds kConnectLimit{30};

std::uint32_t pages(std::uint64_t bytes) {
  return static_cast<std::uint32_t>(bytes / kPageBytes);
}

// Drivers pin the regions of their sessions. Root lifts the limit for them.
void check_locked_memory(const System& system) {
  rlimit limit{};
  if (::geteuid() == 0 || ::getrlimit(RLIMIT_MEMLOCK, &limit) != 0) return;
  for (std::size_t i = 0; i < system.drivers.size(); ++i) {
    const std::uint64_t needed = system.drivers[i].vm ? 0 : region_bytes(system, i);
    if (limit.rlim_max >= needed) continue;
    throw std::runtime_error(fmt::format(
        "driver '{}' has to lock {} of memory, and this user may lock {}; use smaller regions, run "
        "as root, or raise the limit (memlock in limits.conf(5))",
        *system.drivers[i].name, format_size(needed), format_size(limit.rlim_max)));
  }
}

std::string what_it_serves(const DriverDomain& driver) {
  const Driver& spec = driver.spec;
  const char* in_vm = spec.vm ? ", in a VM" : "";
  if (spec.vm && !spec.vm->pci->empty()) {
    return fmt::format("{} on PCI device {}{}", spec.is_net() ? "net" : "block", *spec.vm->pci,
                       in_vm);
  }
  if (!spec.is_net()) return fmt::format("block on {}{}", spec.disk->string(), in_vm);
  return fmt::format("net, MTU {}, {}{}", driver.uplink.mtu,
                     driver.uplink.interface ? "uplink " + *spec.uplink.name() : "no uplink",
                     in_vm);
}

}  // namespace

Machine::Machine(EventLoop& loop, Kept kept, const System& system, Resources resources,
                 const RuntimeDir& runtime, Progress progress)
    : loop_(loop),
      keeper_(kept.keeper),
      record_(kept.record),
      system_(system),
      runtime_(runtime),
      programs_(find_programs(*system.policy)),
      progress_(std::move(progress)),
      broker_log_(runtime.log("broker")),
      broker_output_(loop, kept_pipe(keeper_, "broker"),
                     [this](std::string_view text) { broker_log_.append(text); }) {
  check_locked_memory(system);
  const bool root = ::geteuid() == 0;
  uid_t next_uid = resources.uids.first;
  const auto new_uid = [&] { return root ? std::optional<uid_t>(next_uid++) : std::nullopt; };

  for (std::size_t i = 0; i < system.drivers.size(); ++i) {
    const Driver& spec = system.drivers[i];
    drivers_.push_back(std::unique_ptr<DriverDomain>(new DriverDomain{
        spec,
        std::move(resources.disks[i]),
        std::move(resources.interfaces.uplinks[i]),
        Domain(loop, keeper_, processors_, *spec.name, runtime.log(*spec.name), new_uid(),
               [this, i](const std::string& how) { driver_ended(i, how); }),
        nullptr,
        {}}));
    if (spec.vm) {
      const std::string console = *spec.name + ".console";
      drivers_.back()->console =
          std::make_unique<VmConsole>(loop, kept_pipe(keeper_, console), runtime.log(console));
    }
  }
  for (std::size_t i = 0; i < system.clients.size(); ++i) {
    const Client& spec = system.clients[i];
    const std::optional<uid_t> uid = new_uid();
    clients_.push_back(std::unique_ptr<ClientDomain>(
        new ClientDomain{spec,
                         runtime.make_client(*spec.name, uid),
                         std::move(resources.interfaces.taps[i]),
                         Domain(loop, keeper_, processors_, *spec.name, runtime.log(*spec.name),
                                uid, [this, i](const std::string& how) { client_ended(i, how); }),
                         nullptr,
                         nullptr,
                         {},
                         {}}));
    ClientDomain& client = *clients_.back();
    if (*spec.audit) {
      client.audit = std::make_unique<KeptLines>(keeper_, *spec.name + "/audit/lines");
      client.audit_pipe = std::make_unique<OutputPipe>(
          loop, kept_pipe(keeper_, *spec.name + "/audit"),
          [&client](std::string_view text) { client.audit->append(text); });
    }
  }
  for (const Attachment& plan : plan_attachments(system)) {
    const Client& client = system.clients[plan.client];
    const Device& device = client.devices[plan.device];
    const auto socket = socket_path(device, clients_[plan.client]->directory);
    if (device.has_socket() && socket.string().size() >= sizeof(sockaddr_un::sun_path)) {
      throw std::runtime_error(fmt::format(
          "the socket's path '{}' is longer than {} bytes; set socket = in the description, or a "
          "shorter CEDE_RUNTIME_DIR",
          socket.string(), sizeof(sockaddr_un::sun_path) - 1));
    }
    if (!device.socket->empty()) runtime.note(socket);
    links_.push_back({.plan = plan, .wanted = *device.connect, .grant = {}});
  }
  if (links_.size() > kMaxRecordedLinks) {
    throw std::runtime_error(
        fmt::format("the system has more than {} devices; describe a second", kMaxRecordedLinks));
  }
  watch_interfaces();
}

// --- Starting ---

void Machine::start() {
  make_cgroups();
  start_broker();
  progress_(fmt::format("broker: {} pages ({}) to give", pages(*system_.budget),
                        format_size(*system_.budget)));
  for (std::size_t i = 0; i < drivers_.size(); ++i) {
    start_driver(i);
    progress_(fmt::format("driver {}: {}", *drivers_[i]->spec.name, what_it_serves(*drivers_[i])));
  }
  for (std::size_t i = 0; i < clients_.size(); ++i) {
    start_client(i);
    progress_(fmt::format("client {}: account of {} pages", *clients_[i]->spec.name,
                          pages(*clients_[i]->spec.account)));
  }
  grant_due();
  wait_connected();
  if (*system_.is_static) {
    if (const Status status = broker_->seal_system(); status != Status::Ok) {
      throw std::runtime_error(fmt::format("the broker does not seal: {}", to_string(status)));
    }
    sealed_ = true;
    progress_("sealed: nothing is created or connected from now on");
  }
  for (const auto& client : clients_) {
    if (client->spec.vm) start_vm(*client);
  }
  phase_ = Phase::Running;
  watch_returns();
  save();
}

void Machine::wait_connected() {
  const bool done = loop_.poll_until(
      [this] { return !failure_.empty() || broken() || all_connected(); }, connect_limit());
  if (!failure_.empty()) throw std::runtime_error(failure_);
  if (broken()) {
    throw std::runtime_error("the broker ended while starting: " + broker_log_.last_line());
  }
  if (!done) throw std::runtime_error(why_not_connected());
  for (const Link& link : links_) {
    const ClientDomain& client = *clients_[link.plan.client];
    const Device& device = client.spec.devices[link.plan.device];
    progress_(fmt::format("{}: {} {}", label(link),
                          link.wanted ? "connected," : "waits for 'cede connect';",
                          endpoint_text(device, client.directory)));
  }
}

std::chrono::seconds Machine::connect_limit() const {
  const bool has_vm = std::any_of(system_.drivers.begin(), system_.drivers.end(),
                                  [](const Driver& driver) { return driver.vm.has_value(); });
  return kConnectLimit + (has_vm ? kBootLimit : std::chrono::seconds::zero());
}

// The logs go with the failed start: so the last words of the two that did not get together.
std::string Machine::why_not_connected() {
  const auto sessions = broker_->sessions();
  for (const Link& link : links_) {
    const LedgerRow* row = sessions ? session_of(link, *sessions) : nullptr;
    if (!link.wanted || (row && static_cast<SessionState>(row->state) == SessionState::Connected)) {
      continue;
    }
    const Domain& client = clients_[link.plan.client]->domain;
    const Domain& driver = drivers_[link.plan.driver]->domain;
    return fmt::format("{} did not connect within {} s; {} says: '{}'; {} says: '{}'", label(link),
                       connect_limit().count(), client.name(), client.last_words(), driver.name(),
                       driver.last_words());
  }
  return "a device connected too late; try again";
}

void Machine::cancel_start() {
  if (phase_ == Phase::Starting) failure_ = "stopped while starting";
}

Launch Machine::driver_launch(std::size_t index) {
  const DriverDomain& driver = *drivers_[index];
  Launch launch;
  launch.arguments = {programs_.driver.string(), "--disk-fd", std::to_string(driver.disk.fd.get()),
                      "--disk-name", *driver.spec.name};
  launch.inherited = {driver.disk.fd.get()};
  for (const Link& link : links_) {
    if (link.plan.driver != index) continue;
    launch.arguments.insert(launch.arguments.end(),
                            {"--export", export_argument(system_, link.plan)});
  }
  return launch;
}

void Machine::start_driver(std::size_t index) {
  DriverDomain& driver = *drivers_[index];
  driver.stats = std::make_unique<StatsMemory>();
  keeper_.keep(driver.domain.name() + kStats, driver.stats->fd());
  if (driver.spec.vm) {
    start_driver_vm(index);
    return;
  }
  Launch launch = driver.spec.is_net() ? switch_launch(index) : driver_launch(index);
  launch.arguments.insert(launch.arguments.end(),
                          {"--stats-fd", std::to_string(driver.stats->fd())});
  launch.inherited.push_back(driver.stats->fd());
  if (*system_.policy == Policy::Revocable) launch.arguments.emplace_back("--revocable-regions");
  launch.locked_bytes = locked_bytes(system_, index);
  launch.open_files = kOpenFiles;
  driver.domain.start(*broker_, cgroup_, 0, std::move(launch));
}

void Machine::start_client(std::size_t index) {
  ClientDomain& client = *clients_[index];
  Launch launch;
  launch.arguments = {programs_.frontend.string()};
  for (std::size_t i = 0; i < client.spec.devices.size(); ++i) {
    const Device& device = client.spec.devices[i];
    std::vector<int> taps;
    for (const Fd& queue : client.taps[i].fds) taps.push_back(queue.get());
    launch.arguments.insert(
        launch.arguments.end(),
        {"--device", device_argument(device, socket_path(device, client.directory), taps)});
    launch.inherited.insert(launch.inherited.end(), taps.begin(), taps.end());
  }
  if (*client.spec.audit) {
    const int fd = client.audit_pipe->write_end();
    launch.arguments.insert(launch.arguments.end(), {"--audit-fd", std::to_string(fd)});
    launch.inherited.push_back(fd);
  }
  launch.open_files = kOpenFiles;
  client.domain.start(*broker_, cgroup_, pages(*client.spec.account), std::move(launch));
}

void Machine::start_vm(ClientDomain& client) {
  const Vm& vm = *client.spec.vm;
  const std::string& name = *client.spec.name;
  const Fd kernel = open_for_vm(*vm.kernel, name);
  const Fd initrd = open_for_vm(*vm.initrd, name);
  Launch launch;
  launch.arguments = vm_arguments(client.spec, vm,
                                  {path_of(kernel.get()), path_of(initrd.get()), client.directory},
                                  client.directory, mtus());
  launch.inherited = {kernel.get(), initrd.get()};
  launch.run_as = client.domain.uid();
  launch.file_bytes = *vm.memory;  // a memfd counts; and no log of the guest grows beyond it
  client.domain.place(launch, cgroup_);
  client.vm = Process::start(launch);
  progress_(fmt::format("client {}: its VM runs as process {}", name, client.vm.pid()));
  watch_vm(client);
}

// A guest that powers off has done so on purpose: it is not started again.
void Machine::watch_vm(ClientDomain& client) {
  client.vm_watch = loop_.when_readable(client.vm.pidfd(), [&client] {
    client.vm_watch.reset();
    spdlog::info("the VM of '{}' ended: {}", *client.spec.name, client.vm.reap());
  });
}

// --- Lives and deaths ---

void Machine::driver_ended(std::size_t index, const std::string& how) {
  DriverDomain& driver = *drivers_[index];
  const std::string why = driver.spec.vm ? vm_ended(driver, how) : how;
  broker_->destroy_domain(driver.domain.handle());
  driver.past.push_back(driver.domain.handle());
  for (Link& link : links_) {
    if (link.plan.driver == index) link.grant = {};
  }
  revive(driver.domain, why, [this, index] { start_driver(index); });
  if (driver.restart.under_way()) restarted_life_ended(index);
}

void Machine::client_ended(std::size_t index, const std::string& how) {
  ClientDomain& client = *clients_[index];
  broker_->destroy_domain(client.domain.handle());
  for (Link& link : links_) {
    if (link.plan.client == index) link.grant = {};
  }
  revive(client.domain, how, [this, index] { start_client(index); });
}

void Machine::revive(Domain& domain, const std::string& how, const EventLoop::Callback& again) {
  if (phase_ == Phase::Stopping || !has_broker()) return;
  if (phase_ == Phase::Starting) {
    const std::string& words = domain.last_words();
    failure_ = fmt::format("'{}' ended while starting ({}){}", domain.name(), how,
                           words.empty() ? "" : ": " + words);
    return;
  }
  if (sealed_) {
    spdlog::error("'{}' ended ({}) and stays so: the system is static", domain.name(), how);
    return;
  }
  spdlog::warn("'{}' ended ({}), and is started again", domain.name(), how);
  domain.restart_later([this, &domain, how, again] { begin_life(domain, how, again); });
}

void Machine::begin_life(Domain& domain, const std::string& how, const EventLoop::Callback& again) {
  if (phase_ == Phase::Stopping || !has_broker()) return;
  try {
    again();
    grant_due();
  } catch (const std::runtime_error& error) {
    spdlog::error("{}", error.what());
    revive(domain, how, again);
  }
}

}  // namespace cede::supervisor
