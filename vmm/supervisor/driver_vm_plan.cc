// SPDX-License-Identifier: Apache-2.0
#include "vmm/supervisor/driver_vm_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <initializer_list>

#include "protocols/driver_vm.h"
#include "protocols/ivshmem.h"
#include "vmm/qemu/escaped.h"
#include "vmm/qemu/ivshmem_server.h"
#include "vmm/qemu/session_ports.h"
#include "vmm/supervisor/launch_plan.h"

namespace cede::supervisor {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;

std::uint64_t largest_region(const System& system, std::size_t driver) {
  std::uint64_t largest = kPageBytes;
  for (const Attachment& each : plan_attachments(system)) {
    if (each.driver != driver) continue;
    largest = std::max(largest, system.clients[each.client].devices[each.device].region_bytes());
  }
  return std::bit_ceil(largest);
}

class Arguments {
 public:
  void add(std::initializer_list<std::string> more) { list_.insert(list_.end(), more); }
  void add(const std::vector<std::string>& more) {
    list_.insert(list_.end(), more.begin(), more.end());
  }
  [[nodiscard]] std::vector<std::string> take() && { return std::move(list_); }

 private:
  std::vector<std::string> list_;
};

// The supervisor has opened and locked the disk: QEMU has it by descriptor, and locks nothing. Its
// threads write: when QEMU is gone, so are they, and nothing is on its way to the disk any more.
void add_disk(Arguments& arguments, const Driver& driver, const DriverVmFacts& facts) {
  const char* direct = *driver.direct ? "on" : "off";
  arguments.add({"-add-fd", fmt::format("fd={},set=1", facts.fds.disk)});
  arguments.add(
      {"-blockdev",
       fmt::format("driver=raw,node-name=disk,read-only={},discard=unmap,cache.direct={},"
                   "file.driver={},file.filename=/dev/fdset/1,file.locking=off,file.aio=threads",
                   driver.read_only() ? "on" : "off", direct,
                   facts.disk_is_block_device ? "host_device" : "file")});
  arguments.add({"-device", *driver.vm->disk_device == "nvme"
                                ? fmt::format("nvme,drive=disk,serial={}", *driver.name)
                                : "virtio-blk-pci,drive=disk"});
}

void add_uplink(Arguments& arguments, const System& system, const Driver& driver,
                const DriverVmFacts& facts) {
  const bool is_virtio = *driver.vm->nic == "virtio-net";
  std::string nic =
      fmt::format("{},netdev=uplink,mac={}", is_virtio ? "virtio-net-pci" : *driver.vm->nic,
                  format_mac(derived_mac(fmt::format("{}/{}/nic", *system.name, *driver.name))));
  if (is_virtio && facts.mtu != kDefaultMtu) nic += fmt::format(",host_mtu={}", facts.mtu);
  arguments.add({"-netdev", fmt::format("tap,id=uplink,fd={},vhost=off", facts.fds.uplink)});
  arguments.add({"-device", nic});
}

}  // namespace

unsigned driver_vm_ports(const System& system, std::size_t driver) {
  const auto attachments = plan_attachments(system);
  const auto devices = std::count_if(attachments.begin(), attachments.end(),
                                     [&](const Attachment& each) { return each.driver == driver; });
  return std::min(2 * static_cast<unsigned>(devices) + 1, kMaxBells);
}

std::vector<std::string> shim_arguments(const std::filesystem::path& program, unsigned ports,
                                        const ShimDescriptors& fds) {
  return {program.string(),
          "--bells",
          std::to_string(fds.bells),
          "--monitor",
          std::to_string(fds.monitor),
          "--sessions",
          std::to_string(fds.sessions),
          "--stats-fd",
          std::to_string(fds.stats),
          "--ready-fd",
          std::to_string(fds.ready),
          "--ports",
          std::to_string(ports)};
}

std::vector<std::string> driver_vm_arguments(const System& system, std::size_t driver,
                                             const DriverVmFacts& facts) {
  const Driver& spec = system.drivers[driver];
  const Vm& vm = spec.vm->machine;
  const bool has_pci = !spec.vm->pci->empty();
  const unsigned ports = driver_vm_ports(system, driver);
  const QemuDescriptors& fds = facts.fds;
  Arguments arguments;
  arguments.add({"qemu-system-x86_64", "-name", *spec.name});
  arguments.add({"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"});
  arguments.add(
      {"-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"});
  // QEMU takes the first that works: its user may not have /dev/kvm where ours has.
  if (facts.accelerator == qemu::Accelerator::Kvm) arguments.add({"-accel", "kvm"});
  arguments.add({"-accel", "tcg", "-cpu", "max", "-smp", std::to_string(*vm.cpus)});
  arguments.add({"-machine", "q35,kernel-irqchip=split"});
  arguments.add({"-m", fmt::format("{}M", *vm.memory / kMiB)});
  // The guest's VFIO wants one for the bells; a device of the host's has to be told of its
  // mappings.
  arguments.add(
      {"-device", has_pci ? "intel-iommu,intremap=on,caching-mode=on" : "intel-iommu,intremap=on"});

  arguments.add({"-kernel", fmt::format("/proc/self/fd/{}", fds.kernel)});
  arguments.add({"-initrd", fmt::format("/proc/self/fd/{}", fds.initrd)});
  // A panic ends the guest, and with -no-reboot QEMU, too. On a loaded machine TCG's timer is too
  // late for the kernel's check of it, and the guest panics.
  arguments.add({"-append", "console=ttyS0 panic=-1 intel_iommu=on iommu=pt no_timer_check quiet"});
  arguments.add({"-fw_cfg", "name=opt/cede/arguments,string=" +
                                qemu::escaped(guest_command(system, driver, facts.mtu))});

  arguments.add({"-add-fd", fmt::format("fd={},set=2", fds.console)});
  arguments.add(
      {"-chardev", "file,id=console,path=/dev/fdset/2,append=on", "-serial", "chardev:console"});
  arguments.add({"-chardev", fmt::format("socket,id=monitor,fd={}", fds.monitor)});
  arguments.add({"-mon", "chardev=monitor,mode=control"});
  arguments.add({"-chardev", fmt::format("socket,id=sessions,fd={}", fds.sessions)});
  arguments.add({"-device", "virtio-serial-pci", "-device",
                 fmt::format("virtserialport,chardev=sessions,name={}", kDriverVmPort)});
  arguments.add(qemu::IvshmemServer::device_arguments(fds.bells, ports));
  arguments.add(qemu::session_port_arguments(ports, largest_region(system, driver)));

  if (has_pci) arguments.add({"-device", "vfio-pci,host=" + *spec.vm->pci});
  if (fds.disk >= 0) add_disk(arguments, spec, facts);
  if (fds.uplink >= 0) add_uplink(arguments, system, spec, facts);
  return std::move(arguments).take();
}

std::string guest_command(const System& system, std::size_t driver, std::uint64_t mtu) {
  const Driver& spec = system.drivers[driver];
  const bool has_uplink = !spec.uplink.name()->empty() || !spec.vm->pci->empty();
  std::string lines = spec.is_net() ? fmt::format("cede-switch\n--mtu\n{}{}", mtu,
                                                  has_uplink ? "\n--uplink-interface\neth0" : "")
                                    : fmt::format("cede-driver\n--disk-name\n{}", *spec.name);
  for (const Attachment& each : plan_attachments(system)) {
    if (each.driver != driver) continue;
    lines += spec.is_net() ? "\n--port\n" + port_argument(system, each)
                           : "\n--export\n" + export_argument(system, each);
  }
  return lines;
}

}  // namespace cede::supervisor
