// SPDX-License-Identifier: Apache-2.0
// A system description: one TOML file that says what the machine is (cede-system.toml(5)).
//
// Reading is strict: an unknown key, a wrong type or a missing value is a problem, and reading goes
// on to find the others. What comes out is well-formed field by field; checks.h says whether it
// makes sense, and disk.h whether the disks agree.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocols/net.h"
#include "protocols/session.h"
#include "vmm/supervisor/addresses.h"
#include "vmm/supervisor/policy.h"
#include "vmm/supervisor/problems.h"

namespace cede::supervisor {

// A slice of a driver's disk.
struct Volume {
  Field<std::string> name;
  Field<std::uint64_t> offset;   // bytes; not used with a partition
  Field<std::uint64_t> size;     // bytes; not used with a partition
  Field<std::string> partition;  // a GPT partition's name, or empty
  Field<bool> read_only;
};

// How a switch reaches the world: a TAP that is made for it, or an interface that is there.
struct Uplink {
  Field<std::string> tap;                          // one of the two is empty
  Field<std::string> interface;                    // both: the switch has no uplink
  Field<std::optional<InterfaceAddress>> address;  // of the TAP

  [[nodiscard]] const Field<std::string>& name() const noexcept {
    return tap->empty() ? interface : tap;
  }
};

// A stock QEMU machine.
struct Vm {
  Field<std::filesystem::path> kernel;
  Field<std::filesystem::path> initrd;
  Field<std::uint64_t> memory;  // bytes
  Field<std::uint64_t> cpus;
};

// The machine that a driver lives in, where it is no process.
struct DriverVm {
  Vm machine;
  Field<std::string> disk_device;  // as what it finds its disk: "nvme" or "virtio-blk"
  Field<std::string> nic;          // its uplink: "virtio-net", "vmxnet3" or "e1000e"
  Field<std::string> pci;          // the host's device that it has instead of both, or empty
};

// What a domain has of the processors, all of its processes together.
struct CpuShare {
  Field<std::uint64_t> weight;  // beside those of the other domains
  Field<std::uint64_t> limit;   // percent of one processor; 0: none
  bool described = false;       // not all of it is by default
};

enum class Service { Block, Net };

struct Driver {
  Field<std::string> name;
  Field<std::string> kind;           // "block", "net" or "vm"
  Service service = Service::Block;  // a VM's follows from its other keys
  std::optional<DriverVm> vm;
  CpuShare cpu;
  // A block driver's disk.
  Field<std::filesystem::path> disk;  // empty: it has a device of the host's
  Field<bool> direct;
  std::vector<Volume> volumes;
  // A net driver's switch.
  Uplink uplink;
  Field<std::uint64_t> mtu;  // 0: the uplink's where that is an interface, or kDefaultMtu

  [[nodiscard]] bool is_net() const noexcept { return service == Service::Net; }
  // Nothing writes to the disk: it is opened, and locked, for reading only.
  [[nodiscard]] bool read_only() const noexcept;
};

inline constexpr std::uint64_t kDefaultMtu = 1500;

// What a switch is told of a client's port, and the client's interface on it.
struct Port {
  Field<net::MacAddress> mac;
  Field<std::optional<Ipv4>> ipv4;          // the only sender that it may name
  Field<std::uint64_t> vlan;                // untagged frames are of it; 0: none
  Field<std::vector<std::uint64_t>> trunk;  // tags that come and go
  Field<bool> isolated;
  Field<bool> spoofing;
  Field<std::uint64_t> packets_per_second;  // 0: no limit
  Field<std::uint64_t> storm;               // frames to everybody, a second
  // The interface that makes a network namespace the client, or empty: a VM by vhost-user-net.
  Field<std::string> tap;
  Field<std::filesystem::path> netns;  // empty: the supervisor's own
  Field<std::optional<InterfaceAddress>> address;
};

// A client's attachment to a volume or to a switch.
struct Device {
  Field<std::string> name;
  Field<std::string> driver;
  Field<std::uint64_t> queues;
  Field<std::uint64_t> slots;
  Field<std::uint64_t> weight;
  Field<std::uint64_t> bytes_per_second;  // 0: no limit
  Field<std::filesystem::path> socket;    // empty: in the runtime directory
  Field<bool> connect;
  std::optional<Port> port;  // with a net driver
  // With a block driver.
  Field<std::string> volume;
  Field<bool> read_only;
  Field<std::uint64_t> region;  // bytes
  Field<std::uint64_t> iops;    // 0: no limit

  [[nodiscard]] Geometry geometry() const noexcept;
  // Of the region that the client gives up while connected.
  [[nodiscard]] std::uint64_t region_bytes() const noexcept;
  // Something listens on a socket for the client's VM.
  [[nodiscard]] bool has_socket() const noexcept { return !port || port->tap->empty(); }
};

struct Client {
  Field<std::string> name;
  Field<std::uint64_t> account;  // bytes
  Field<bool> audit;
  CpuShare cpu;
  std::vector<Device> devices;
  std::optional<Vm> vm;  // started once the devices are connected
};

struct System {
  Field<std::string> name;
  Field<std::uint64_t> budget;  // bytes
  Field<bool> is_static;
  Field<Policy> policy;
  std::vector<Driver> drivers;
  std::vector<Client> clients;
  std::filesystem::path file;

  [[nodiscard]] const Driver* driver(std::string_view driver_name) const noexcept;
};

[[nodiscard]] const Volume* find_volume(const Driver& driver, std::string_view name) noexcept;

// A name of a system, domain, device or volume: 1 to 31 letters, digits, '-' and '_', beginning
// with a letter or a digit. Such a name needs no quoting in paths, options and tables.
[[nodiscard]] bool valid_name(std::string_view name) noexcept;

// Paths in `text` are taken relative to the directory of `file`. If `problems` is not empty
// afterwards, the system is not fit for use.
[[nodiscard]] System parse_system(std::string_view text, const std::filesystem::path& file,
                                  Problems& problems);

// parse_system() of a file's contents; a file that cannot be read is a problem.
[[nodiscard]] System load_system(const std::filesystem::path& file, Problems& problems);

}  // namespace cede::supervisor
