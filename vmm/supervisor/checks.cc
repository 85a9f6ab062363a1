// SPDX-License-Identifier: Apache-2.0
#include "vmm/supervisor/checks.h"

#include <fmt/format.h>
#include <sys/un.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "protocols/block.h"
#include "protocols/ivshmem.h"
#include "protocols/stats.h"
#include "vmm/supervisor/port_checks.h"
#include "vmm/supervisor/size.h"

namespace cede::supervisor {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;
constexpr std::uint64_t kMinVmMemory = 64 * kMiB;
constexpr const char* kReaderRemedy =
    "the reader sees changes under its feet: mount it there only while nobody writes";

// Collects what is wrong; each check appends to it.
class Checker {
 public:
  Checker(Problems& problems, Problems& warnings) : problems_(problems), warnings_(warnings) {}

  void system(const System& system) {
    names(system);
    whole_pages(system.budget, "the budget");
    policy(system);
    for (const Driver& driver : system.drivers) {
      volumes(driver);
      if (driver.vm) driver_vm(driver);
    }
    std::uint64_t accounts = 0;
    for (const Client& client : system.clients) {
      account(client, accounts);
      for (const Device& device : client.devices) this->device(system, client, device);
    }
    device_counts(system);
    volume_users(system);
    check_ports(system, problems_);
    if (accounts > *system.budget) {
      add(system.budget.at,
          fmt::format("the budget of {} is less than the clients' accounts, {} together",
                      format_size(*system.budget), format_size(accounts)),
          fmt::format("write budget = \"{}\" or more, or make accounts smaller",
                      format_size(accounts)));
    }
    if (system.drivers.size() + system.clients.size() > kMaxDomains) {
      add({}, fmt::format("the system has more than {} domains", kMaxDomains),
          "describe a second system");
    }
    if (system.clients.empty()) {
      add({}, "the system has no client", "add a [[client]] with a [[client.device]]");
    }
  }

 private:
  void add(Position at, std::string what, std::string remedy) {
    problems_.push_back({at, std::move(what), std::move(remedy)});
  }

  void warn(Position at, const std::string& what, std::string remedy) {
    warnings_.push_back({at, "warning: " + what, std::move(remedy)});
  }

  // `seen` holds the names of one scope.
  void unique(std::set<std::string>& seen, const Field<std::string>& name, const char* what) {
    if (seen.insert(*name).second) return;
    add(name.at, fmt::format("{} '{}' is there already", what, *name), "choose another name");
  }

  void names(const System& system) {
    std::set<std::string> domains{"root", "broker", "supervisor"};
    std::set<std::string> sockets;
    for (const Driver& driver : system.drivers) {
      unique(domains, driver.name, "a domain");
      std::set<std::string> volumes;
      for (const Volume& volume : driver.volumes) unique(volumes, volume.name, "a volume");
    }
    for (const Client& client : system.clients) {
      unique(domains, client.name, "a domain");
      std::set<std::string> devices;
      for (const Device& device : client.devices) {
        unique(devices, device.name, "a device");
        socket(device, sockets);
      }
    }
  }

  void socket(const Device& device, std::set<std::string>& sockets) {
    if (device.socket->empty()) return;
    const std::string path = device.socket->string();
    if (path.size() >= sizeof(sockaddr_un::sun_path)) {
      add(device.socket.at,
          fmt::format("the socket's path has {} bytes, and the system allows {}", path.size(),
                      sizeof(sockaddr_un::sun_path) - 1),
          "use a shorter path");
    }
    if (path.find(',') != std::string::npos) {
      add(device.socket.at, "the socket's path holds a comma", "use another path");
    }
    if (!sockets.insert(path).second) {
      add(device.socket.at, fmt::format("another device uses the socket '{}'", path),
          "choose another path");
    }
  }

  void policy(const System& system) {
    constexpr const char* kRemedy = "use policy = \"donated\", or no 'policy', for anything else";
    if (*system.policy == Policy::DriverOwned) {
      warn(system.policy.at,
           "\"driver-owned\" is for measurements only: clients spend their drivers' memory",
           kRemedy);
    }
    if (*system.policy != Policy::Revocable) return;
    warn(system.policy.at,
         "\"revocable\" is for measurements only: clients can take memory back while it is used",
         kRemedy);
    for (const Driver& driver : system.drivers) {
      if (!driver.vm) continue;
      add(driver.kind.at,
          fmt::format("the driver VM '{}' would not survive a client that takes memory back",
                      *driver.name),
          "use a driver of kind \"block\" or \"net\", or another policy");
    }
  }

  void whole_pages(const Field<std::uint64_t>& bytes, const char* what) {
    if (*bytes != 0 && *bytes % kPageBytes == 0 && *bytes / kPageBytes <= UINT32_MAX) return;
    add(bytes.at, fmt::format("{} is not a number of whole 4 KiB pages below 16T", what),
        "use a size such as \"64M\"");
  }

  void volumes(const Driver& driver) {
    const Volume* by_offset = nullptr;
    const Volume* by_partition = nullptr;
    for (const Volume& volume : driver.volumes) {
      (volume.partition->empty() ? by_offset : by_partition) = &volume;
      if (volume.partition->empty()) extent(volume);
    }
    if (by_offset != nullptr && by_partition != nullptr) {
      add(by_partition->partition.at,
          fmt::format("driver '{}' has volumes by partition and by offset", *driver.name),
          "use one kind, so that overlaps can be seen");
      return;
    }
    for (std::size_t i = 0; i < driver.volumes.size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) overlap(driver.volumes[j], driver.volumes[i]);
    }
  }

  void extent(const Volume& volume) {
    if (*volume.size == 0 || *volume.size % block::kSectorBytes != 0) {
      add(volume.size.at,
          fmt::format("volume '{}' has no whole number of 512-byte sectors", *volume.name),
          "use a size such as \"64M\"");
    }
    if (*volume.offset % block::kSectorBytes != 0) {
      add(volume.offset.at,
          fmt::format("volume '{}' does not begin at a 512-byte sector", *volume.name),
          "use an offset such as \"1M\"");
    }
    if (*volume.size > UINT64_MAX - *volume.offset) {
      add(volume.size.at, fmt::format("volume '{}' ends beyond 2^64 bytes", *volume.name),
          "use a smaller size");
    }
  }

  static bool meet(const Volume& a, const Volume& b) {
    if (!a.partition->empty()) return *a.partition == *b.partition;
    return *a.offset < *b.offset ? *b.offset - *a.offset < *a.size
                                 : *a.offset - *b.offset < *b.size;
  }

  void overlap(const Volume& a, const Volume& b) {
    if (!meet(a, b) || (*a.read_only && *b.read_only)) return;
    const Position at = b.partition->empty() ? b.offset.at : b.partition.at;
    if (*a.read_only || *b.read_only) {
      warn(at,
           fmt::format("volume '{}' overlaps volume '{}', and one is written", *b.name, *a.name),
           kReaderRemedy);
      return;
    }
    const std::string apart =
        b.partition->empty() ? fmt::format("begin at {} or later", format_size(*a.offset + *a.size))
                             : "use another partition";
    add(at,
        fmt::format("volume '{}' overlaps volume '{}', and both can be written", *b.name, *a.name),
        apart + ", or make one read_only = true");
  }

  void account(const Client& client, std::uint64_t& accounts) {
    whole_pages(client.account, "the account");
    accounts += std::min(*client.account, UINT64_MAX - accounts);
    std::uint64_t regions = 0;
    for (const Device& device : client.devices) {
      regions += std::min(device.region_bytes(), UINT64_MAX - regions);
    }
    if (regions > *client.account) {
      add(client.account.at,
          fmt::format("the account of '{}', {}, is less than its devices' regions, {} together",
                      *client.name, format_size(*client.account), format_size(regions)),
          fmt::format("write account = \"{}\" or more, or use smaller regions",
                      format_size(regions)));
    }
    if (client.vm) vm_memory(*client.vm, *client.name);
    if (client.devices.empty()) {
      add(client.name.at, fmt::format("client '{}' has no device", *client.name),
          "add a [[client.device]]");
    }
  }

  void vm_memory(const Vm& vm, const std::string& domain) {
    if (*vm.memory >= kMinVmMemory && *vm.memory % kMiB == 0) return;
    add(vm.memory.at,
        fmt::format("the memory of the VM of '{}' is not whole MiB, 64 or more", domain),
        "use a size such as \"256M\"");
  }

  void driver_vm(const Driver& driver) {
    vm_memory(driver.vm->machine, *driver.name);
    if (!driver.uplink.interface->empty()) {
      add(driver.uplink.interface.at,
          fmt::format("the VM of '{}' cannot have the host's interface '{}' as its uplink",
                      *driver.name, *driver.uplink.interface),
          "use a TAP, and put both on a bridge: ip link add br0 type bridge; see ip-link(8)");
    }
    if (!driver.is_net() || *driver.mtu == 0 || *driver.vm->nic == "virtio-net") return;
    add(driver.mtu.at, fmt::format("nobody tells a {} of its MTU", *driver.vm->nic),
        "remove 'mtu', or use nic = \"virtio-net\"");
  }

  void region(const Device& device) {
    const std::uint64_t bytes = device.region_bytes();
    const bool power_of_two = bytes != 0 && (bytes & (bytes - 1)) == 0;
    if ((*device.slots & (*device.slots - 1)) != 0) {
      add(device.slots.at, "the number of slots is not a power of two", "use 64, 128, 256, ...");
    } else if (!power_of_two || bytes < kPageBytes || bytes / kPageBytes > Geometry::kMaxPages) {
      add(device.region.at, "the region is not a power of two from 4K to 1G",
          "use a size such as \"16M\"");
    } else if (!device.geometry().valid()) {
      add(device.region.at,
          fmt::format("the region has no room for payload beside {} ring(s) of {} slots",
                      *device.queues, *device.slots),
          "use a larger region, or fewer queues or slots");
    }
  }

  void device(const System& system, const Client& client, const Device& device) {
    region(device);
    if (*system.is_static && !*device.connect) {
      add(device.connect.at,
          fmt::format("device '{}' of '{}' can never connect in a static system", *device.name,
                      *client.name),
          "remove connect = false, or static = true");
    }
    const Driver* driver = system.driver(*device.driver);
    if (driver == nullptr) {
      add(device.driver.at, fmt::format("there is no driver '{}'", *device.driver),
          "name one that has a [[driver]] of its own");
      return;
    }
    if (device.port) return;  // see check_ports()
    const Volume* volume = find_volume(*driver, *device.volume);
    if (volume == nullptr) {
      add(device.volume.at,
          fmt::format("driver '{}' has no volume '{}'", *driver->name, *device.volume),
          "name one that has a [[driver.volume]] of its own");
    }
  }

  void device_counts(const System& system) {
    std::map<std::string, std::size_t> devices;
    for (const Client& client : system.clients) {
      for (const Device& device : client.devices) {
        const Driver* driver = system.driver(*device.driver);
        const bool is_switch = driver != nullptr && driver->is_net();
        std::size_t most = is_switch ? kMaxPorts : kMaxDevices;
        // One bell device for all of a VM's sessions.
        if (driver != nullptr && driver->vm) most = std::min<std::size_t>(most, kMaxBells);
        if (++devices[*device.driver] != most + 1) continue;
        add(device.driver.at,
            fmt::format("driver '{}' has more than {} {}", *device.driver, most,
                        is_switch ? "ports" : "devices"),
            "move some to another driver");
      }
    }
  }

  // A volume has one writer: a file system knows no other.
  void volume_users(const System& system) {
    struct Use {
      const Client* client;
      const Device* device;
      bool writes;
    };
    std::map<std::pair<std::string, std::string>, Use> uses;
    for (const Client& client : system.clients) {
      for (const Device& device : client.devices) {
        const Driver* driver = system.driver(*device.driver);
        const Volume* volume = driver ? find_volume(*driver, *device.volume) : nullptr;
        if (volume == nullptr) continue;
        const bool writes = !*volume->read_only && !*device.read_only;
        const auto [first, is_new] =
            uses.try_emplace({*device.driver, *device.volume}, Use{&client, &device, writes});
        Use& other = first->second;
        if (is_new || (!writes && !other.writes)) continue;
        const auto both = [&](const char* what) {
          return fmt::format("'{}/{}' and '{}/{}' both {} the volume '{}'", *other.client->name,
                             *other.device->name, *client.name, *device.name, what, *device.volume);
        };
        if (writes && other.writes) {
          add(device.volume.at, both("write"),
              "give each a volume of its own, or make one device read_only = true");
        } else {
          warn(device.volume.at, both("use") + ", and one writes it", kReaderRemedy);
          if (writes) other = {&client, &device, true};
        }
      }
    }
  }

  Problems& problems_;
  Problems& warnings_;
};

}  // namespace

void check_system(const System& system, Problems& problems, Problems& warnings) {
  Checker(problems, warnings).system(system);
}

}  // namespace cede::supervisor
