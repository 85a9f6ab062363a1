// SPDX-License-Identifier: Apache-2.0
#include "vmm/supervisor/description.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <system_error>

#include "protocols/block.h"
#include "protocols/control.h"
#include "vmm/supervisor/driver_reader.h"
#include "vmm/supervisor/table_reader.h"
#include "vmm/supervisor/table_values.h"

namespace cede::supervisor {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxNameBytes = Name::kBytes - 1;
constexpr std::uintmax_t kMaxFileBytes = 1 << 20;
constexpr std::uint64_t kMaxCount = 1'000'000'000'000;
constexpr std::uint64_t kMaxWeight = 100;  // as cede-driver takes it
constexpr std::uint64_t kClientCpuWeight = 100;
constexpr Range kVlans{1, 4094};  // IEEE 802.1Q

// Where a device is read: what is known of the system by then, and whose device it is.
struct Place {
  const fs::path& base;
  const System& system;
  const std::string& client;
};

Port read_port(TableReader& reader, const Place& place, const std::string& device) {
  Port port;
  const auto mac = parsed<net::MacAddress>(reader, "mac", parse_mac, "a MAC address",
                                           "write mac = \"52:54:00:12:34:56\" or the like");
  port.mac = {
      mac->value_or(derived_mac(fmt::format("{}/{}/{}", *place.system.name, place.client, device))),
      mac.at};
  port.ipv4 = parsed<Ipv4>(reader, "ipv4", parse_ipv4, "an IPv4 address",
                           "write ipv4 = \"10.77.0.2\" or the like");
  port.vlan = reader.number("vlan", 0, kVlans);
  port.trunk = reader.numbers("trunk", kVlans);
  if (reader.has("vlan") && reader.has("trunk")) {
    reader.problem(port.trunk.at, "a port is of one VLAN or a trunk of several",
                   "remove 'vlan' or 'trunk'");
  }
  port.isolated = reader.flag("isolated", false);
  port.spoofing = reader.flag("spoofing", false);
  port.packets_per_second = reader.number("packets_per_second", 0, {0, kMaxCount});
  port.storm = reader.number("storm", 10'000, {1, kMaxCount});
  port.tap = interface_name(reader, "tap");
  port.netns = reader.path("netns", place.base, "");
  port.address = interface_address(reader);
  for (const char* taps_only : {"netns", "address"}) {
    if (!reader.has(taps_only) || reader.has("tap")) continue;
    reader.problem(reader.position(taps_only),
                   fmt::format("'{}' is for a TAP, and the device is a VM's", taps_only),
                   "remove it, or add tap = \"...\"");
  }
  return port;
}

// What tells a disk's device from a switch's.
constexpr std::array<std::string_view, 4> kVolumeKeys{"volume", "read_only", "region", "iops"};
constexpr std::array<std::string_view, 11> kPortKeys{
    "mac",   "ipv4", "vlan",  "trunk",  "isolated", "spoofing", "packets_per_second",
    "storm", "tap",  "netns", "address"};

Device read_device(const toml::table& table, const Place& place, Problems& problems) {
  TableReader reader(table, "[[client.device]]", problems);
  Device device;
  device.name = reader.name("name");
  device.driver = reader.name("driver");
  const Driver* driver = place.system.driver(*device.driver);
  const bool is_net = driver == nullptr ? !reader.has("volume") : driver->is_net();
  const std::string_view misplaced = driver == nullptr ? ""
                                     : is_net          ? reader.any_of(kVolumeKeys)
                                                       : reader.any_of(kPortKeys);
  if (!misplaced.empty()) {
    (void)(is_net ? reader.any_of(kPortKeys) : reader.any_of(kVolumeKeys));
    reader.problem(
        reader.position(misplaced),
        fmt::format("driver '{}' is of kind '{}'{}, where a device has no '{}'", *device.driver,
                    *driver->kind,
                    !driver->vm ? ""
                    : is_net    ? " without a disk"
                                : " with a disk",
                    misplaced),
        fmt::format("remove it, or name a driver of kind \"{}\"", is_net ? "block" : "net"));
  } else if (is_net) {
    device.port = read_port(reader, place, *device.name);
  } else {
    device.volume = reader.name("volume");
    device.read_only = reader.flag("read_only", false);
    device.region = reader.size("region", "16M");
    device.iops = reader.number("iops", 0, {0, kMaxCount});
  }
  device.queues = reader.number("queues", 1, {1, is_net ? net::kMaxPairs : Geometry::kMaxRings});
  device.slots = reader.number("slots", is_net ? net::kSlots : 128,
                               {is_net ? net::kMinSlots : 1, RingShape::kMaxSlots});
  device.weight = reader.number("weight", 1, {1, kMaxWeight});
  device.bytes_per_second = reader.size("bytes_per_second", "0");
  device.socket = reader.path("socket", place.base, "");
  device.connect = reader.flag("connect", true);
  if (!device.has_socket() && !device.socket->empty()) {
    reader.problem(device.socket.at, "a TAP has no socket", "remove 'socket', or 'tap'");
  }
  reader.finish();
  return device;
}

Client read_client(const toml::table& table, const fs::path& base, const System& system,
                   Problems& problems) {
  TableReader reader(table, "[[client]]", problems);
  Client client;
  client.name = reader.name("name");
  client.account = reader.size("account");
  client.audit = reader.flag("audit", false);
  client.cpu = read_cpu_share(reader, kClientCpuWeight);
  reader.tables("device", [&](const toml::table& inner) {
    client.devices.push_back(read_device(inner, {base, system, *client.name}, problems));
  });
  reader.table("vm", [&](const toml::table& inner) {
    TableReader vm(inner, "[client.vm]", problems);
    client.vm = read_vm(vm, base);
    vm.finish();
  });
  reader.finish();
  return client;
}

System read_system(const toml::table& table, const fs::path& base, Problems& problems) {
  TableReader reader(table, "the system", problems);
  System system;
  system.name = reader.name("name");
  system.budget = reader.size("budget");
  system.is_static = reader.flag("static", false);
  const auto policy = parsed<Policy>(reader, "policy", parse_policy, "a policy",
                                     "use one of: donated (the default), revocable, driver-owned");
  system.policy = {policy->value_or(Policy::Donated), policy.at};
  reader.tables("driver", [&](const toml::table& inner) {
    system.drivers.push_back(read_driver(inner, base, problems));
  });
  reader.tables("client", [&](const toml::table& inner) {  // after the drivers that they name
    system.clients.push_back(read_client(inner, base, system, problems));
  });
  reader.finish();
  return system;
}

}  // namespace

bool Driver::read_only() const noexcept {
  return std::all_of(volumes.begin(), volumes.end(),
                     [](const Volume& volume) { return *volume.read_only; });
}

Geometry Device::geometry() const noexcept {
  if (port) {
    return net::port_geometry(static_cast<std::uint16_t>(*queues),
                              static_cast<std::uint32_t>(*slots));
  }
  Geometry geometry;
  const std::uint64_t pages = *region / kPageBytes;
  geometry.pages = pages <= Geometry::kMaxPages ? static_cast<std::uint32_t>(pages) : 0;
  geometry.rings = static_cast<std::uint16_t>(*queues);
  geometry.slot_bytes = block::kSlotBytes;
  geometry.slots = static_cast<std::uint32_t>(*slots);
  return geometry;
}

std::uint64_t Device::region_bytes() const noexcept {
  return port ? geometry().bytes() : *region;
}

const Driver* System::driver(std::string_view driver_name) const noexcept {
  const auto found = std::find_if(drivers.begin(), drivers.end(), [&](const Driver& candidate) {
    return *candidate.name == driver_name;
  });
  return found == drivers.end() ? nullptr : &*found;
}

const Volume* find_volume(const Driver& driver, std::string_view name) noexcept {
  const auto found = std::find_if(driver.volumes.begin(), driver.volumes.end(),
                                  [&](const Volume& candidate) { return *candidate.name == name; });
  return found == driver.volumes.end() ? nullptr : &*found;
}

bool valid_name(std::string_view name) noexcept {
  const auto word = [](unsigned char c) { return c < 0x80 && std::isalnum(c) != 0; };
  return !name.empty() && name.size() <= kMaxNameBytes &&
         word(static_cast<unsigned char>(name.front())) &&
         std::all_of(name.begin(), name.end(), [&](char c) {
           return word(static_cast<unsigned char>(c)) || c == '-' || c == '_';
         });
}

std::string to_line(const std::string& file, const Problem& problem) {
  std::string line = problem.at.line == 0
                         ? fmt::format("{}: {}; {}", file, problem.what, problem.remedy)
                         : fmt::format("{}:{}:{}: {}; {}", file, problem.at.line, problem.at.column,
                                       problem.what, problem.remedy);
  // A description may come from anywhere: nothing in it may steer the terminal.
  std::replace_if(
      line.begin(), line.end(),
      [](char c) { return std::iscntrl(static_cast<unsigned char>(c)) != 0; }, '?');
  return line;
}

System parse_system(std::string_view text, const fs::path& file, Problems& problems) {
  const toml::parse_result parsed = toml::parse(text);
  if (!parsed) {
    problems.push_back({position_of(parsed.error().source()),
                        std::string(parsed.error().description()),
                        "correct the TOML; see cede-system.toml(5) for an example"});
    return {};
  }
  const fs::path absolute = fs::absolute(file);
  System system = read_system(parsed.table(), absolute.parent_path(), problems);
  system.file = absolute;
  return system;
}

System load_system(const fs::path& file, Problems& problems) {
  const auto unreadable = [&](const std::string& why) {
    problems.push_back({{}, "cannot read the description: " + why, "name a readable TOML file"});
    return System{};
  };
  std::error_code error;
  const std::uintmax_t size = fs::file_size(file, error);
  if (error) return unreadable(error.message());
  if (size > kMaxFileBytes) return unreadable("it is larger than 1 MiB");
  errno = 0;
  std::ifstream stream(file, std::ios::binary);
  if (!stream) return unreadable(std::generic_category().message(errno));
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  return parse_system(text, file, problems);
}

}  // namespace cede::supervisor
