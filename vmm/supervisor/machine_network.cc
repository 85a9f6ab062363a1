// SPDX-License-Identifier: Apache-2.0
// What a machine's switches are started with, and how interfaces that go away come back.
#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <set>

#include "vmm/supervisor/machine.h"
#include "vmm/supervisor/network_interface.h"

namespace cede::supervisor {
namespace {

constexpr std::chrono::milliseconds kLinkPause{250};

}  // namespace

Launch Machine::switch_launch(std::size_t index) {
  const DriverDomain& driver = *drivers_[index];
  Launch launch;
  launch.arguments = {programs_.net_switch.string(), "--mtu", std::to_string(driver.uplink.mtu)};
  if (const OpenInterface& interface = driver.uplink.interface) {
    const int fd = interface.fds.front().get();
    launch.arguments.insert(launch.arguments.end(),
                            {"--uplink-fd", std::to_string(fd), "--uplink",
                             interface.tap ? "tap" : "packet", "--uplink-name", interface.name});
    launch.inherited = {fd};
  }
  for (const Link& link : links_) {
    if (link.plan.driver != index) continue;
    launch.arguments.insert(launch.arguments.end(), {"--port", port_argument(system_, link.plan)});
  }
  return launch;
}

Mtus Machine::mtus() const {
  Mtus mtus;
  for (const auto& driver : drivers_) {
    if (driver->spec.is_net()) mtus.emplace(*driver->spec.name, driver->uplink.mtu);
  }
  return mtus;
}

void Machine::watch_interfaces() {
  if (link_watches_.empty()) {
    std::set<std::filesystem::path> namespaces;
    const auto watch = [&](const OpenInterface& interface, const std::filesystem::path& netns) {
      if (!interface || !namespaces.insert(netns).second) return;
      in_namespace(interface.netns, [this] { link_watches_.push_back(watch_links()); });
    };
    for (const auto& driver : drivers_) watch(driver->uplink.interface, {});
    for (const auto& client : clients_) {
      for (std::size_t i = 0; i < client->taps.size(); ++i) {
        if (client->taps[i]) watch(client->taps[i], *client->spec.devices[i].port->netns);
      }
    }
  }
  for (const Fd& watch : link_watches_) {
    link_changes_.push_back(loop_.when_readable(watch.get(), [this] { look_at_interfaces(); }));
  }
}

// Switches and frontends notice by themselves that their descriptors fail, and later that they work
// again. That needs no new domain and no new session, so a static system has it too.
void Machine::look_at_interfaces() {
  // Who may change the links of some namespace may do so without end: it costs us a bounded share.
  link_changes_.clear();
  link_pause_ = loop_.after(kLinkPause, [this] { watch_interfaces(); });
  for (const Fd& watch : link_watches_) drain_link_changes(watch.get());
  for (const auto& driver : drivers_) {
    OpenInterface& uplink = driver->uplink.interface;
    restore(uplink, fmt::format("the uplink '{}' of '{}'", uplink.name, *driver->spec.name));
  }
  for (const auto& client : clients_) {
    for (std::size_t i = 0; i < client->taps.size(); ++i) {
      OpenInterface& tap = client->taps[i];
      restore(tap, fmt::format("the TAP '{}' of '{}/{}'", tap.name, *client->spec.name,
                               *client->spec.devices[i].name));
    }
  }
}

}  // namespace cede::supervisor
