// SPDX-License-Identifier: Apache-2.0
#include "vmm/supervisor/port_checks.h"

#include <fmt/format.h>

#include <map>
#include <set>
#include <string>
#include <utility>

namespace cede::supervisor {
namespace {

class PortChecker {
 public:
  PortChecker(const System& system, Problems& problems) : system_(system), problems_(problems) {}

  void run() {
    for (const Driver& driver : system_.drivers) uplink(driver);
    for (const Client& client : system_.clients) {
      for (const Device& device : client.devices) {
        if (device.port) port(client, device);
      }
    }
  }

 private:
  void add(Position at, std::string what, std::string remedy) {
    problems_.push_back({at, std::move(what), std::move(remedy)});
  }

  void uplink(const Driver& driver) {
    const Field<std::string>& name = driver.uplink.name();
    if (name->empty()) return;
    const auto [first, is_new] = uplinks_.try_emplace(*name, *driver.name);
    if (!is_new) {
      add(name.at, fmt::format("driver '{}' uses the uplink '{}' already", first->second, *name),
          "give each switch an uplink of its own");
    }
    if (!driver.uplink.tap->empty()) tap({}, driver.uplink.tap);
  }

  void port(const Client& client, const Device& device) {
    const Port& port = *device.port;
    const std::string label = fmt::format("{}/{}", *client.name, *device.name);
    if (port.mac->multicast() || port.mac->zero()) {
      add(port.mac.at, fmt::format("{} is no address of one device", format_mac(*port.mac)),
          "make the first byte even, and not all of them zero");
    }
    const auto [owner, is_new] =
        addresses_.try_emplace({*device.driver, format_mac(*port.mac)}, label);
    if (!is_new) {
      add(port.mac.at,
          fmt::format("'{}' has the MAC address {} already", owner->second, format_mac(*port.mac)),
          "choose another, or leave 'mac' out");
    }
    if (*port.ipv4 == Ipv4{}) {
      add(port.ipv4.at, "0.0.0.0 is no address of one device",
          "write the client's, or leave 'ipv4' out");
    } else if (*port.ipv4) {
      const std::string ipv4 = format_ipv4(**port.ipv4);
      const auto [holder, is_first] = addresses_.try_emplace({*device.driver, ipv4}, label);
      if (!is_first) {
        add(port.ipv4.at, fmt::format("'{}' has the IPv4 address {} already", holder->second, ipv4),
            "choose another");
      }
      if (*port.address && (**port.address).address != **port.ipv4) {
        add(port.address.at,
            fmt::format("the switch would drop all that comes from this address: the port's is {}",
                        ipv4),
            "write the same address for both");
      }
    }
    if (!port.tap->empty()) tap(port.netns->string(), port.tap);
  }

  // A name is unique in its network namespace.
  void tap(const std::string& netns, const Field<std::string>& name) {
    if (taps_.emplace(netns, *name).second) return;
    add(name.at, fmt::format("another device or uplink makes the TAP '{}'", *name),
        "choose another name");
  }

  const System& system_;
  Problems& problems_;
  std::map<std::string, std::string> uplinks_;                            // name to driver
  std::map<std::pair<std::string, std::string>, std::string> addresses_;  // on a driver, to whom
  std::set<std::pair<std::string, std::string>> taps_;                    // namespace and name
};

}  // namespace

void check_ports(const System& system, Problems& problems) {
  PortChecker(system, problems).run();
}

}  // namespace cede::supervisor
