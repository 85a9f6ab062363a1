// SPDX-License-Identifier: Apache-2.0
#include "vmm/supervisor/driver_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <span>
#include <string>
#include <string_view>

#include "vmm/supervisor/table_values.h"

namespace cede::supervisor {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kDriverCpuWeight = 400;  // it works for all of its clients

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

Uplink read_uplink(const toml::table& table, Problems& problems) {
  TableReader reader(table, "an uplink", problems);
  Uplink uplink;
  uplink.tap = interface_name(reader, "tap");
  uplink.interface = interface_name(reader, "interface");
  uplink.address = interface_address(reader);
  if (reader.has("tap") == reader.has("interface")) {
    reader.problem(reader.at(), "an uplink is a TAP or an interface",
                   "write uplink = { tap = \"cede0\" } or uplink = { interface = \"eth1\" }");
  } else if (reader.has("address") && reader.has("interface")) {
    reader.problem(uplink.address.at, "an interface keeps the addresses that it has",
                   "remove 'address', or use a TAP");
  }
  reader.finish();
  return uplink;
}

// One of a few words; the first is what it is where the key is missing.
Field<std::string> choice(TableReader& reader, std::string_view key,
                          std::span<const std::string_view> words) {
  Field<std::string> field = reader.text(key, words.front().data());
  if (std::find(words.begin(), words.end(), *field) == words.end()) {
    reader.problem(field.at, fmt::format("'{}' is not a possible {}", *field, key),
                   fmt::format("use one of: {}", fmt::join(words, ", ")));
  }
  return field;
}

// Such as "0000:03:00.0".
bool valid_pci_address(std::string_view text) {
  constexpr std::string_view kForm = "xxxx:xx:xx.x";
  return text.size() == kForm.size() &&
         std::equal(text.begin(), text.end(), kForm.begin(), [](char c, char form) {
           return form == 'x' ? std::isxdigit(static_cast<unsigned char>(c)) != 0 : c == form;
         });
}

DriverVm read_driver_vm(const toml::table& table, const fs::path& base, bool is_net,
                        Problems& problems) {
  constexpr std::array<std::string_view, 2> kDisks{"nvme", "virtio-blk"};
  constexpr std::array<std::string_view, 3> kNics{"virtio-net", "vmxnet3", "e1000e"};
  TableReader reader(table, "[driver.vm]", problems);
  DriverVm vm;
  vm.machine = read_vm(reader, base);
  if (is_net) {
    vm.nic = choice(reader, "nic", kNics);
  } else {
    vm.disk_device = choice(reader, "disk_device", kDisks);
  }
  vm.pci = reader.text("pci", "");
  if (reader.has("pci") && !valid_pci_address(*vm.pci)) {
    reader.problem(vm.pci.at, fmt::format("'{}' is not the address of a PCI device", *vm.pci),
                   "write pci = \"0000:03:00.0\" or the like, as lspci -D shows it");
  }
  reader.finish();
  return vm;
}

// What tells a VM with a disk from one with a switch.
constexpr std::array<std::string_view, 3> kDiskKeys{"disk", "direct", "volume"};
constexpr std::array<std::string_view, 2> kSwitchKeys{"uplink", "mtu"};

// Reads what makes a driver a VM, and finds out what it serves.
void read_driver_in_vm(TableReader& reader, const fs::path& base, Driver& driver,
                       Problems& problems) {
  const std::string_view switch_key = reader.any_of(kSwitchKeys);
  const bool has_disk_key = !reader.any_of(kDiskKeys).empty();
  driver.service = has_disk_key ? Service::Block : Service::Net;
  driver.vm.emplace();
  reader.table("vm", [&](const toml::table& inner) {
    driver.vm = read_driver_vm(inner, base, driver.is_net(), problems);
  });
  if (!reader.has("vm")) {
    reader.problem(driver.kind.at, fmt::format("the VM of '{}' has nothing to boot", *driver.name),
                   "add [driver.vm] with a kernel and an initrd");
  }
  const bool has_pci = !driver.vm->pci->empty();
  if (has_disk_key && !switch_key.empty()) {
    reader.problem(reader.position(switch_key),
                   fmt::format("a VM with a disk is no switch, and has no '{}'", switch_key),
                   "remove it, or give the switch a driver of its own");
  }
  if (!has_disk_key && switch_key.empty() && !has_pci) {
    reader.problem(driver.kind.at, fmt::format("the VM of '{}' serves nothing", *driver.name),
                   "add a disk and a [[driver.volume]], or an uplink or mtu for a switch");
  }
  for (const char* instead : {"disk", "uplink"}) {
    if (!has_pci || !reader.has(instead)) continue;
    reader.problem(reader.position(instead),
                   fmt::format("the VM has a device of the host's, and no '{}'", instead),
                   "remove it, or 'pci'");
  }
}

}  // namespace

Driver read_driver(const toml::table& table, const fs::path& base, Problems& problems) {
  TableReader reader(table, "[[driver]]", problems);
  Driver driver;
  driver.name = reader.name("name");
  driver.kind = reader.text("kind");
  driver.cpu = read_cpu_share(reader, kDriverCpuWeight);
  if (*driver.kind == "vm") {
    read_driver_in_vm(reader, base, driver, problems);
  } else if (*driver.kind == "net") {
    driver.service = Service::Net;
  } else if (reader.has("kind") && *driver.kind != "block") {
    reader.problem(driver.kind.at, fmt::format("no driver of kind '{}'", *driver.kind),
                   "use kind = \"block\", kind = \"net\" or kind = \"vm\"");
  }
  if (driver.is_net()) {
    driver.mtu = reader.number("mtu", 0, {net::kMinMtu, net::kMaxMtu});
    reader.table("uplink",
                 [&](const toml::table& inner) { driver.uplink = read_uplink(inner, problems); });
  } else {
    const bool has_pci = driver.vm && !driver.vm->pci->empty();
    driver.disk = reader.path("disk", base, has_pci ? "" : nullptr);
    driver.direct = reader.flag("direct", false);
    reader.tables("volume", [&](const toml::table& inner) {
      driver.volumes.push_back(read_volume(inner, problems));
    });
  }
  reader.finish();
  return driver;
}

}  // namespace cede::supervisor
