// SPDX-License-Identifier: Apache-2.0
#include "vmm/supervisor/description.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <system_error>

#include "protocols/block.h"
#include "protocols/control.h"
#include "vmm/supervisor/table_reader.h"

namespace cede::supervisor {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxNameBytes = Name::kBytes - 1;
constexpr std::uintmax_t kMaxFileBytes = 1 << 20;
constexpr std::uint64_t kMaxWeight = 100;  // as cede-driver takes it
constexpr std::uint64_t kMaxCount = 1'000'000'000'000;

Volume read_volume(const toml::table& table, Problems& problems) {
  TableReader reader(table, "[[driver.volume]]", problems);
  Volume volume;
  volume.name = reader.name("name");
  const bool by_name = reader.has("partition");
  volume.partition = reader.text("partition", "");
  if (by_name) {
    volume.offset = reader.size("offset", "0");
    volume.size = reader.size("size", "0");
    if (reader.has("offset") || reader.has("size")) {
      reader.problem(volume.partition.at, "a volume is a partition or an offset and a size",
                     "remove 'partition', or 'offset' and 'size'");
    }
    if (volume.partition->empty() || volume.partition->find(',') != std::string::npos) {
      reader.problem(volume.partition.at, "the partition's name is empty or holds a comma",
                     "write the name that sgdisk -p shows, or rename the partition");
    }
  } else {
    volume.offset = reader.size("offset");
    volume.size = reader.size("size");
  }
  volume.read_only = reader.flag("read_only", false);
  reader.finish();
  return volume;
}

Driver read_driver(const toml::table& table, const fs::path& base, Problems& problems) {
  TableReader reader(table, "[[driver]]", problems);
  Driver driver;
  driver.name = reader.name("name");
  driver.kind = reader.text("kind");
  if (reader.has("kind") && *driver.kind != "block") {
    reader.problem(driver.kind.at, fmt::format("no driver of kind '{}'", *driver.kind),
                   "use kind = \"block\"");
  }
  driver.disk = reader.path("disk", base);
  driver.direct = reader.flag("direct", false);
  reader.tables("volume", [&](const toml::table& inner) {
    driver.volumes.push_back(read_volume(inner, problems));
  });
  reader.finish();
  return driver;
}

Device read_device(const toml::table& table, const fs::path& base, Problems& problems) {
  TableReader reader(table, "[[client.device]]", problems);
  Device device;
  device.name = reader.name("name");
  device.driver = reader.name("driver");
  device.volume = reader.name("volume");
  device.read_only = reader.flag("read_only", false);
  device.region = reader.size("region", "16M");
  device.queues = reader.number("queues", 1, {1, Geometry::kMaxRings});
  device.slots = reader.number("slots", 128, {1, RingShape::kMaxSlots});
  device.weight = reader.number("weight", 1, {1, kMaxWeight});
  device.iops = reader.number("iops", 0, {0, kMaxCount});
  device.bytes_per_second = reader.size("bytes_per_second", "0");
  device.socket = reader.path("socket", base, "");
  device.connect = reader.flag("connect", true);
  reader.finish();
  return device;
}

Vm read_vm(const toml::table& table, const fs::path& base, Problems& problems) {
  TableReader reader(table, "[client.vm]", problems);
  Vm vm;
  vm.kernel = reader.path("kernel", base);
  vm.initrd = reader.path("initrd", base);
  vm.memory = reader.size("memory", "256M");
  vm.cpus = reader.number("cpus", 1, {1, 255});
  reader.finish();
  return vm;
}

Client read_client(const toml::table& table, const fs::path& base, Problems& problems) {
  TableReader reader(table, "[[client]]", problems);
  Client client;
  client.name = reader.name("name");
  client.account = reader.size("account");
  client.audit = reader.flag("audit", false);
  reader.tables("device", [&](const toml::table& inner) {
    client.devices.push_back(read_device(inner, base, problems));
  });
  reader.table("vm", [&](const toml::table& inner) { client.vm = read_vm(inner, base, problems); });
  reader.finish();
  return client;
}

System read_system(const toml::table& table, const fs::path& base, Problems& problems) {
  TableReader reader(table, "the system", problems);
  System system;
  system.name = reader.name("name");
  system.budget = reader.size("budget");
  system.is_static = reader.flag("static", false);
  reader.tables("driver", [&](const toml::table& inner) {
    system.drivers.push_back(read_driver(inner, base, problems));
  });
  reader.tables("client", [&](const toml::table& inner) {
    system.clients.push_back(read_client(inner, base, problems));
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
  Geometry geometry;
  const std::uint64_t pages = *region / kPageBytes;
  geometry.pages = pages <= Geometry::kMaxPages ? static_cast<std::uint32_t>(pages) : 0;
  geometry.rings = static_cast<std::uint16_t>(*queues);
  geometry.slot_bytes = block::kSlotBytes;
  geometry.slots = static_cast<std::uint32_t>(*slots);
  return geometry;
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
