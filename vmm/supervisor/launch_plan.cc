// SPDX-License-Identifier: Apache-2.0
#include "vmm/supervisor/launch_plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "protocols/block.h"
#include "vmm/qemu/accelerator.h"
#include "vmm/qemu/escaped.h"
#include "vmm/qemu/guest_vm.h"

namespace cede::supervisor {
namespace {

constexpr std::uint64_t kDriverOwnLocked = 64U << 20;

qemu::VhostUserNic nic_of(const Device& device, const std::filesystem::path& client_directory,
                          const Mtus& mtus) {
  const auto mtu = mtus.find(*device.driver);
  return {.socket = socket_path(device, client_directory),
          .mac = format_mac(*device.port->mac),
          .queues = static_cast<unsigned>(*device.queues),
          .mtu = mtu == mtus.end() ? kDefaultMtu : mtu->second};
}

}  // namespace

std::vector<Attachment> plan_attachments(const System& system) {
  std::vector<Attachment> attachments;
  std::vector<std::uint32_t> used(system.drivers.size());
  for (std::size_t client = 0; client < system.clients.size(); ++client) {
    const std::vector<Device>& devices = system.clients[client].devices;
    for (std::size_t device = 0; device < devices.size(); ++device) {
      const auto driver =
          static_cast<std::size_t>(system.driver(*devices[device].driver) - system.drivers.data());
      attachments.push_back({driver, client, device, used[driver]++});
    }
  }
  return attachments;
}

std::filesystem::path socket_path(const Device& device,
                                  const std::filesystem::path& client_directory) {
  if (!device.socket->empty()) return *device.socket;
  return client_directory / (*device.name + ".sock");
}

std::string endpoint_text(const Device& device, const std::filesystem::path& client_directory) {
  if (device.has_socket()) return "for QEMU at " + socket_path(device, client_directory).string();
  const Port& port = *device.port;
  if (port.netns->empty()) return "as TAP " + *port.tap;
  return fmt::format("as TAP {} in {}", *port.tap, port.netns->string());
}

std::string export_argument(const System& system, const Attachment& attachment) {
  const Client& client = system.clients[attachment.client];
  const Device& device = client.devices[attachment.device];
  const Volume& volume = *find_volume(system.drivers[attachment.driver], *device.volume);
  std::string text =
      fmt::format("device={},name={}/{}", attachment.number, *client.name, *device.name);
  if (volume.partition->empty()) {
    text += fmt::format(",offset={},length={}", *volume.offset, *volume.size);
  } else {
    text += ",partition=" + *volume.partition;
  }
  if (*volume.read_only || *device.read_only) text += ",read_only";
  text += fmt::format(",weight={}", *device.weight);
  if (*device.iops != 0) text += fmt::format(",iops={}", *device.iops);
  if (*device.bytes_per_second != 0) text += fmt::format(",bps={}", *device.bytes_per_second);
  return text + ",serial=" + volume.name->substr(0, VIRTIO_BLK_ID_BYTES);
}

std::string port_argument(const System& system, const Attachment& attachment) {
  const Client& client = system.clients[attachment.client];
  const Device& device = client.devices[attachment.device];
  const Port& port = *device.port;
  std::string text = fmt::format("device={},name={}/{},mac={},weight={}", attachment.number,
                                 *client.name, *device.name, format_mac(*port.mac), *device.weight);
  if (*port.ipv4) text += ",ipv4=" + format_ipv4(**port.ipv4);
  if (*port.vlan != 0) text += fmt::format(",vlan={}", *port.vlan);
  if (!port.trunk->empty()) text += fmt::format(",trunk={}", fmt::join(*port.trunk, "+"));
  if (*port.isolated) text += ",isolated";
  if (*port.spoofing) text += ",spoofing";
  if (*port.packets_per_second != 0) text += fmt::format(",pps={}", *port.packets_per_second);
  if (*device.bytes_per_second != 0) text += fmt::format(",bps={}", *device.bytes_per_second);
  return text + fmt::format(",storm={}", *port.storm);
}

std::string device_argument(const Device& device, const std::filesystem::path& socket,
                            const std::vector<int>& taps) {
  if (device.port && !taps.empty()) {
    return fmt::format("class=tap,name={},tap={},slots={}", *device.name, fmt::join(taps, "+"),
                       *device.slots);
  }
  if (device.port) {
    return fmt::format("class=net,name={},socket={},queues={},slots={}", *device.name,
                       socket.string(), *device.queues, *device.slots);
  }
  return fmt::format("name={},socket={},queues={},slots={},pages={}", *device.name, socket.string(),
                     *device.queues, *device.slots, *device.region / kPageBytes);
}

std::uint64_t region_bytes(const System& system, std::size_t driver) {
  std::uint64_t regions = 0;
  for (const Attachment& attachment : plan_attachments(system)) {
    if (attachment.driver != driver) continue;
    regions += system.clients[attachment.client].devices[attachment.device].region_bytes();
  }
  return regions;
}

std::uint64_t locked_bytes(const System& system, std::size_t driver) {
  return 2 * region_bytes(system, driver) + kDriverOwnLocked;
}

std::vector<std::string> vm_arguments(const Client& client, const Vm& vm, const VmPaths& paths,
                                      const std::filesystem::path& client_directory,
                                      const Mtus& mtus) {
  qemu::GuestOptions options;
  options.name = *client.name;
  options.kernel = paths.kernel;
  options.initrd = paths.initrd;
  options.memory_bytes = *vm.memory;
  options.vcpus = static_cast<unsigned>(*vm.cpus);
  options.run_directory = paths.run_directory;
  options.accelerator = qemu::best_accelerator();
  for (const Device& device : client.devices) {
    const std::string socket = socket_path(device, client_directory);
    const auto queues = static_cast<unsigned>(*device.queues);
    if (!device.port) {
      options.disks.push_back({.socket = socket, .queues = queues});
    } else if (device.has_socket()) {
      options.nics.push_back(nic_of(device, client_directory, mtus));
    }
  }
  return qemu::qemu_arguments(options);
}

std::vector<std::string> attach_arguments(const Client& client,
                                          const std::filesystem::path& client_directory,
                                          const Mtus& mtus, bool legacy_interrupts) {
  std::vector<std::string> arguments{"-object",  "memory-backend-memfd,id=mem,size=1G,share=on",
                                     "-machine", "memory-backend=mem",
                                     "-m",       "1G"};
  for (const Device& device : client.devices) {
    if (!device.has_socket()) continue;
    if (device.port) {
      const auto nic = qemu::nic_arguments(nic_of(device, client_directory, mtus), *device.name,
                                           legacy_interrupts);
      arguments.insert(arguments.end(), nic.begin(), nic.end());
      continue;
    }
    arguments.insert(
        arguments.end(),
        {"-chardev",
         fmt::format("socket,id={},path={},reconnect=1", *device.name,
                     qemu::escaped(socket_path(device, client_directory).string())),
         "-device",
         fmt::format("vhost-user-blk-pci,chardev={},num-queues={}", *device.name, *device.queues)});
  }
  return arguments;
}

std::string shell_line(const std::vector<std::string>& arguments) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=,./:+@%";
  std::string line;
  for (const std::string& argument : arguments) {
    if (!line.empty()) line += ' ';
    if (!argument.empty() && argument.find_first_not_of(kPlain) == std::string::npos) {
      line += argument;
      continue;
    }
    line += '\'';
    for (const char c : argument) {
      if (c == '\'') {
        line += "'\\''";
      } else {
        line += c;
      }
    }
    line += '\'';
  }
  return line;
}

}  // namespace cede::supervisor
