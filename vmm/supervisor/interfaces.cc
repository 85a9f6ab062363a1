// SPDX-License-Identifier: Apache-2.0
#include "vmm/supervisor/interfaces.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <thread>
#include <utility>

#include "vmm/supervisor/network_interface.h"

namespace cede::supervisor {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kNamePoll{10};
constexpr milliseconds kCloseLimit{2'000};

std::string why(const std::system_error& error) {
  return error.code() == std::errc::operation_not_permitted
             ? std::string(error.what()) + "; run as root"
             : std::string(error.what()) + "; see: ip link";
}

bool is_lost(const OpenInterface& interface) noexcept {
  if (!interface.tap) return packet_socket_is_lost(interface.fds.front().get());
  return std::any_of(interface.fds.begin(), interface.fds.end(),
                     [](const Fd& queue) { return tap_is_lost(queue.get()); });
}

void put_back(const OpenInterface& interface) {
  if (interface.tap) {
    in_namespace(interface.netns, [&] { restore_tap(interface.fds, *interface.tap); });
  } else {
    restore_packet_socket(interface.fds.front().get(), interface.name);
  }
}

class Opener {
 public:
  Opener(const System& system, Problems& problems, bool make, milliseconds patience)
      : system_(system),
        problems_(problems),
        make_(make),
        deadline_(steady_clock::now() + patience) {}

  Interfaces run() {
    Interfaces interfaces;
    for (const Driver& driver : system_.drivers) interfaces.uplinks.push_back(uplink(driver));
    for (const Client& client : system_.clients) {
      std::vector<OpenInterface>& taps = interfaces.taps.emplace_back();
      for (const Device& device : client.devices) {
        const auto driver =
            static_cast<std::size_t>(system_.driver(*device.driver) - system_.drivers.data());
        taps.push_back(device.has_socket() ? OpenInterface()
                                           : client_tap(device, interfaces.uplinks[driver].mtu));
      }
    }
    return interfaces;
  }

 private:
  void add(Position at, std::string what, std::string remedy) {
    problems_.push_back({at, std::move(what), std::move(remedy)});
  }

  UplinkInterface uplink(const Driver& driver) {
    UplinkInterface uplink;
    uplink.mtu = *driver.mtu == 0 ? kDefaultMtu : *driver.mtu;
    if (!driver.uplink.tap->empty()) {
      // An address that stays: the clients remember it when the TAP has to be made anew.
      uplink.interface = tap({}, driver.uplink.tap,
                             {.name = *driver.uplink.tap,
                              .queues = 1,
                              .mtu = uplink.mtu,
                              .mac = derived_mac(fmt::format("{}/{}", *system_.name, *driver.name)),
                              .address = *driver.uplink.address});
    } else if (!driver.uplink.interface->empty()) {
      uplink.mtu = fitting_mtu(driver);
      if (make_ && uplink.mtu != 0) uplink.interface = packet_socket(driver.uplink.interface);
    }
    return uplink;
  }

  // A switch passes frames on as they are: one that an interface brings has to be taken.
  std::uint64_t fitting_mtu(const Driver& driver) {
    const Field<std::string>& name = driver.uplink.interface;
    const auto mtu = interface_mtu(*name);
    if (!mtu) {
      add(name.at, fmt::format("there is no interface '{}'", *name),
          "name one that ip link shows, or use a TAP");
      return 0;
    }
    if (*driver.mtu == 0) return std::min<std::uint64_t>(*mtu, net::kMaxMtu);
    if (*driver.mtu != *mtu) {
      add(driver.mtu.at,
          *driver.mtu > *mtu
              ? fmt::format("the uplink '{}' takes a MTU of {} at most", *name, *mtu)
              : fmt::format("the uplink '{}' has a MTU of {}: longer frames than these ports take "
                            "would come in",
                            *name, *mtu),
          fmt::format("write mtu = {}, leave it out, or: ip link set {} mtu {}", *mtu, *name,
                      *driver.mtu));
    }
    return *driver.mtu;
  }

  OpenInterface packet_socket(const Field<std::string>& name) {
    OpenInterface interface;
    interface.name = *name;
    try {
      interface.fds.push_back(open_packet_socket(*name));
    } catch (const std::system_error& error) {
      add(name.at, fmt::format("cannot use the uplink '{}'", *name), why(error));
    }
    return interface;
  }

  OpenInterface client_tap(const Device& device, std::uint64_t mtu) {
    const Port& port = *device.port;
    if (!port.netns->empty() && !is_network_namespace(*port.netns)) {
      add(port.netns.at, fmt::format("there is no network namespace '{}'", port.netns->string()),
          fmt::format("make it, for example with: ip netns add {}",
                      port.netns->filename().string()));
      return {};
    }
    return tap(*port.netns, port.tap,
               {.name = *port.tap,
                .queues = *device.queues,
                .mtu = mtu,
                .mac = *port.mac,
                .address = *port.address});
  }

  OpenInterface tap(const std::filesystem::path& netns, const Field<std::string>& name,
                    const TapOptions& options) {
    OpenInterface interface;
    interface.name = *name;
    interface.tap = options;
    try {
      if (make_) {
        if (!netns.empty()) interface.netns = open_namespace(netns);
        in_namespace(interface.netns, [&] { interface.fds = open_tap_patiently(options); });
      } else if (netns.empty() || ::geteuid() == 0) {
        in_namespace(netns, [&] {
          if (!interface_index(*name)) return;
          throw std::system_error(EBUSY, std::generic_category());
        });
      }
    } catch (const std::system_error& error) {
      if (error.code() == std::errc::device_or_resource_busy) {
        add(name.at, fmt::format("there is an interface '{}' already", *name),
            fmt::format("choose another name, or: ip link delete {}", *name));
      } else {
        add(name.at, fmt::format("cannot make the TAP '{}'", *name), why(error));
      }
    }
    return interface;
  }

  [[nodiscard]] std::vector<Fd> open_tap_patiently(const TapOptions& options) const {
    while (true) {
      try {
        return open_tap(options);
      } catch (const std::system_error& error) {
        if (error.code() != std::errc::device_or_resource_busy ||
            steady_clock::now() >= deadline_) {
          throw;
        }
      }
      std::this_thread::sleep_for(kNamePoll);
    }
  }

  const System& system_;
  Problems& problems_;
  bool make_;
  steady_clock::time_point deadline_;
};

}  // namespace

Interfaces open_interfaces(const System& system, Problems& problems, milliseconds patience) {
  return Opener(system, problems, true, patience).run();
}

void check_interfaces(const System& system, Problems& problems) {
  (void)Opener(system, problems, false, {}).run();
}

void close_interfaces(Interfaces interfaces) {
  interfaces.taps.clear();
  const auto deadline = steady_clock::now() + kCloseLimit;
  for (UplinkInterface& uplink : interfaces.uplinks) {
    uplink.interface.fds.clear();
    while (uplink.interface.tap && interface_index(uplink.interface.tap->name) &&
           steady_clock::now() < deadline) {
      std::this_thread::sleep_for(kNamePoll);
    }
  }
}

void restore(OpenInterface& interface, std::string_view what) {
  if (!interface || !(interface.lost || is_lost(interface))) return;
  std::string obstacle;
  try {
    put_back(interface);
  } catch (const std::system_error& error) {
    obstacle = error.what();
  }
  if (!interface.lost) {
    spdlog::warn("{} is gone{}", what, obstacle.empty() ? "" : ", and stays away: " + obstacle);
  }
  interface.lost = !obstacle.empty();
  if (!interface.lost) spdlog::info("{} is there again", what);
}

}  // namespace cede::supervisor
