// SPDX-License-Identifier: Apache-2.0
#include "vmm/supervisor/views.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <string_view>

#include "vmm/qemu/guest_vm.h"

namespace cede::supervisor {
namespace {

namespace json = boost::json;

constexpr int kSnapshots = 5;

// The books at one moment. The rows come one by one, and pages move meanwhile: a snapshot that does
// not balance is taken again.
struct Books {
  std::vector<LedgerRow> domains;
  std::vector<LedgerRow> sessions;
  std::uint64_t accounts = 0;
  std::uint64_t escrow = 0;
  std::uint64_t lent = 0;

  [[nodiscard]] std::uint64_t sum() const noexcept { return accounts + escrow + lent; }
};

std::optional<Books> read_books(BrokerLink& broker, std::uint64_t budget) {
  Books books;
  for (int i = 0; i < kSnapshots; ++i) {
    auto domains = broker.domains();
    auto sessions = broker.sessions();
    if (!domains || !sessions) return std::nullopt;
    books = {*std::move(domains), *std::move(sessions)};
    for (const LedgerRow& row : books.domains) {
      books.accounts += row.pages;
      books.escrow += row.in_escrow;
      books.lent += row.in_sessions;
    }
    if (books.sum() == budget) break;
  }
  return books;
}

json::object domain_row(const Books& books, Handle handle) {
  const auto row =
      std::find_if(books.domains.begin(), books.domains.end(), [&](const LedgerRow& candidate) {
        return candidate.index == handle.index && candidate.generation == handle.generation;
      });
  if (row == books.domains.end()) return {{"account", 0}, {"escrow", 0}, {"in_sessions", 0}};
  return {{"index", row->index},      {"generation", row->generation},
          {"account", row->pages},    {"given", row->given},
          {"escrow", row->in_escrow}, {"in_sessions", row->in_sessions}};
}

json::object domain_view(const Machine& machine, const Books& books, const Domain& domain,
                         const CpuShare& cpu, const char* kind) {
  const auto in_memory = domain.handle().valid() ? machine.cgroup().of_domain(domain.handle())
                                                 : std::filesystem::path();
  const auto cpu_cgroup = machine.processors().of_domain(domain.name(), in_memory);
  json::object view{{"name", domain.name()},
                    {"kind", kind},
                    {"state", domain.running() ? "running" : "stopped"},
                    {"pid", domain.pid()},
                    {"lives", domain.lives()},
                    {"cpu_weight", *cpu.weight},
                    {"cpu_limit", *cpu.limit},
                    {"cpu_cgroup", cpu_cgroup.string()}};
  if (domain.uid()) view["uid"] = *domain.uid();
  for (auto& entry : domain_row(books, domain.handle())) view[entry.key()] = entry.value();
  return view;
}

json::array audit_view(const RecentLines& audit) {
  json::array view;
  for (const std::string& line : audit.lines()) {
    json::error_code error;
    json::value value = json::parse(line, error);
    if (error) value = printable(line, RecentLines::kMaxLineBytes);
    view.push_back(std::move(value));
  }
  return view;
}

json::object restart_view(const PlannedRestart& restart) {
  using Drain = PlannedRestart::Drain;
  const std::chrono::duration<double, std::milli> pause = restart.pause;
  return {{"under_way", restart.under_way()},
          {"drain", restart.drain == Drain::Complete  ? "complete"
                    : restart.drain == Drain::Overran ? "overran"
                                                      : "died"},
          {"sessions", restart.links.size()},
          {"pause_ms", pause.count()}};
}

DeviceCounters counters_of(const DriverDomain& driver, std::size_t row) {
  return driver.stats ? driver.stats->read(row) : DeviceCounters{};
}

const char* uplink_state(const DriverDomain& driver, const DeviceCounters& counters) {
  return driver.domain.running() && counters.up ? "up" : "down";
}

json::array domains_view(const Machine& machine, const Books& books) {
  json::array domains;
  json::object root{{"name", "root"},
                    {"kind", "root"},
                    {"state", "running"},
                    {"pid", ::getpid()},
                    {"lives", machine.broker_lives()}};
  if (!books.domains.empty()) {
    const LedgerRow& row = books.domains.front();
    for (auto& entry : domain_row(books, {row.index, row.generation})) {
      root[entry.key()] = entry.value();
    }
  }
  domains.push_back(std::move(root));
  for (const auto& driver : machine.drivers()) {
    const bool is_vm = driver->spec.vm.has_value();
    json::object view = domain_view(machine, books, driver->domain, driver->spec.cpu,
                                    is_vm ? "driver vm" : "driver");
    if (is_vm) {
      view["vm_pid"] = driver->domain.vm_pid();
      if (driver->domain.running() && !driver->came_up()) view["state"] = "booting";
    }
    if (driver->restart.ever()) view["restart"] = restart_view(driver->restart);
    if (!driver->spec.is_net()) {
      view["disk"] = driver->spec.disk->string();
    } else {
      view["mtu"] = driver->uplink.mtu;
      if (driver->uplink.interface) {
        view["uplink"] = driver->uplink.interface.name;
        view["uplink_state"] = uplink_state(*driver, counters_of(*driver, kUplinkRow));
      }
    }
    domains.push_back(std::move(view));
  }
  for (const auto& client : machine.clients()) {
    json::object view = domain_view(machine, books, client->domain, client->spec.cpu, "client");
    if (client->vm.running()) view["vm_pid"] = client->vm.pid();
    if (*client->spec.audit) view["audit"] = audit_view(client->audit->recent());
    domains.push_back(std::move(view));
  }
  return domains;
}

json::object link_view(const Machine& machine, const Link& link, const LedgerRow* row) {
  const ClientDomain& client = *machine.clients()[link.plan.client];
  const Device& device = client.spec.devices[link.plan.device];
  json::object view{{"client", *client.spec.name},
                    {"device", *device.name},
                    {"driver", *device.driver},
                    {"wanted", link.wanted},
                    {"state", link.wanted ? "waiting" : "disconnected"},
                    {"pages", 0}};
  if (device.port) {
    view["mac"] = format_mac(*device.port->mac);
  } else {
    view["volume"] = *device.volume;
  }
  if (device.has_socket()) {
    view["socket"] = socket_path(device, client.directory).string();
  } else {
    view["tap"] = *device.port->tap;
    if (!device.port->netns->empty()) view["netns"] = device.port->netns->string();
  }
  if (row != nullptr) {
    view["state"] = to_string(static_cast<SessionState>(row->state));
    view["pages"] = row->pages;
    view["index"] = row->index;
    view["generation"] = row->generation;
    view["proof"] = row->proof == 1 ? "cgroup" : row->proof == 2 ? "word" : "none";
  }
  return view;
}

// Sessions of ended lives, whose pages are on their way home.
json::array leaving_view(const std::vector<LedgerRow>& sessions,
                         const std::vector<const LedgerRow*>& current) {
  json::array leaving;
  for (const LedgerRow& row : sessions) {
    if (std::find(current.begin(), current.end(), &row) != current.end()) continue;
    leaving.push_back(json::object{{"index", row.index},
                                   {"generation", row.generation},
                                   {"state", to_string(static_cast<SessionState>(row.state))},
                                   {"pages", row.pages}});
  }
  return leaving;
}

json::object device_stats(const DeviceCounters& counters) {
  json::object view{{"sessions", counters.sessions},       {"reads", counters.reads},
                    {"read_bytes", counters.read_bytes},   {"writes", counters.writes},
                    {"write_bytes", counters.write_bytes}, {"flushes", counters.flushes},
                    {"erases", counters.erases},           {"errors", counters.errors},
                    {"rejected", counters.rejected},       {"doorbells", counters.doorbells},
                    {"wakeups", counters.wakeups}};
  json::array latency;
  for (std::size_t i = 0; i < kLatencyBuckets; ++i) {
    if (counters.latency[i] != 0) {
      latency.push_back(json::array{latency_floor(i), counters.latency[i]});
    }
  }
  view["latency"] = std::move(latency);
  return view;
}

constexpr std::array<std::string_view, kDropReasons> kDropNames{
    "malformed", "spoofed",  "guarded",   "vlan",     "limited",
    "storm",     "isolated", "no_buffer", "too_long", "link_down"};

json::object traffic(const DeviceCounters& counters) {
  json::object drops;
  for (std::size_t i = 0; i < kDropReasons; ++i) drops[kDropNames[i]] = counters.drops[i];
  return {{"sent_frames", counters.sent_frames},
          {"sent_bytes", counters.sent_bytes},
          {"received_frames", counters.received_frames},
          {"received_bytes", counters.received_bytes},
          {"drops", std::move(drops)}};
}

json::object port_stats(const DeviceCounters& counters) {
  json::object view = traffic(counters);
  view["sessions"] = counters.sessions;
  view["rejected"] = counters.rejected;
  view["doorbells"] = counters.doorbells;
  view["wakeups"] = counters.wakeups;
  return view;
}

json::array uplinks_view(const Machine& machine) {
  json::array uplinks;
  for (const auto& driver : machine.drivers()) {
    if (!driver->uplink.interface) continue;
    const DeviceCounters counters = counters_of(*driver, kUplinkRow);
    uplinks.push_back(json::object{{"driver", *driver->spec.name},
                                   {"uplink", driver->uplink.interface.name},
                                   {"state", uplink_state(*driver, counters)},
                                   {"life", driver->domain.lives()},
                                   {"stats", traffic(counters)}});
  }
  return uplinks;
}

json::object failure(std::string text) {
  return {{"ok", false}, {"error", std::move(text)}};
}

}  // namespace

json::object ledger_view(Machine& machine) {
  const std::uint64_t budget = *machine.system().budget / kPageBytes;
  const auto books = read_books(machine.broker(), budget);
  if (!books) return failure("the broker does not answer");
  json::array sessions;
  std::vector<const LedgerRow*> current;
  for (const Link& link : machine.links()) {
    current.push_back(machine.session_of(link, books->sessions));
    sessions.push_back(link_view(machine, link, current.back()));
  }
  return {{"ok", true},
          {"name", *machine.system().name},
          {"static", machine.sealed()},
          {"pid", ::getpid()},
          {"keeper_pid", ::getppid()},
          {"broker_pid", machine.broker_pid()},
          {"page_bytes", kPageBytes},
          {"cgroup", machine.cgroup().directory().string()},
          {"domains", domains_view(machine, *books)},
          {"sessions", std::move(sessions)},
          {"leaving", leaving_view(books->sessions, current)},
          {"totals", json::object{{"budget", budget},
                                  {"accounts", books->accounts},
                                  {"escrow", books->escrow},
                                  {"in_sessions", books->lent},
                                  {"sum", books->sum()},
                                  {"balanced", books->sum() == budget}}}};
}

json::object stats_view(Machine& machine) {
  const auto rows = machine.broker().sessions();
  if (!rows) return failure("the broker does not answer");
  json::array devices;
  for (const Link& link : machine.links()) {
    json::object view = link_view(machine, link, machine.session_of(link, *rows));
    const DriverDomain& driver = *machine.drivers()[link.plan.driver];
    view["life"] = driver.domain.lives();
    const DeviceCounters counters = counters_of(driver, link.plan.number);
    view["stats"] = driver.spec.is_net() ? port_stats(counters) : device_stats(counters);
    devices.push_back(std::move(view));
  }
  return {{"ok", true},
          {"name", *machine.system().name},
          {"devices", std::move(devices)},
          {"uplinks", uplinks_view(machine)}};
}

json::object qemu_view(const Machine& machine, std::string_view client) {
  for (const auto& candidate : machine.clients()) {
    if (*candidate->spec.name != client) continue;
    json::array arguments;
    const bool legacy_interrupts =
        qemu::crashes_on_msix("qemu-system-x86_64", qemu::best_accelerator());
    for (const std::string& argument : attach_arguments(candidate->spec, candidate->directory,
                                                        machine.mtus(), legacy_interrupts)) {
      arguments.push_back(json::value(argument));
    }
    return {{"ok", true}, {"arguments", std::move(arguments)}};
  }
  return failure(fmt::format("there is no client '{}'", client));
}

}  // namespace cede::supervisor
