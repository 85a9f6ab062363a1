// SPDX-License-Identifier: Apache-2.0
// What a machine's switches are started with, and how they keep their uplinks.
#include <spdlog/spdlog.h>

#include "vmm/supervisor/machine.h"
#include "vmm/supervisor/network_interface.h"

namespace cede::supervisor {

Launch Machine::switch_launch(std::size_t index) {
  const DriverDomain& driver = *drivers_[index];
  const Uplink& uplink = driver.spec.uplink;
  Launch launch;
  launch.arguments = {programs_.net_switch.string(), "--mtu", std::to_string(driver.uplink.mtu)};
  if (const int fd = driver.uplink.fd.get(); fd >= 0) {
    launch.arguments.insert(launch.arguments.end(), {"--uplink-fd", std::to_string(fd), "--uplink",
                                                     uplink.tap->empty() ? "packet" : "tap",
                                                     "--uplink-name", *uplink.name()});
    launch.inherited = {fd};
  }
  for (const Link& link : links_) {
    if (link.plan.driver != index) continue;
    launch.arguments.insert(launch.arguments.end(), {"--port", port_argument(system_, link.plan)});
  }
  return launch;
}

// A switch finds an interface that came back by itself; a TAP that was deleted it cannot make.
void Machine::restore_uplinks() {
  drain_link_changes(link_watch_.get());
  for (const auto& driver : drivers_) {
    if (!restore_uplink(driver->uplink)) continue;
    spdlog::warn("the uplink '{}' was deleted; '{}' gets a new one", *driver->spec.uplink.tap,
                 *driver->spec.name);
    if (!sealed_) driver->domain.kill();
  }
}

}  // namespace cede::supervisor
