// SPDX-License-Identifier: Apache-2.0
// How a driver VM is started: the host shim, which is the domain's end of the capability socket,
// and QEMU beside it, with sockets between the two that nobody else has.
#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include "vmm/supervisor/driver_vm_plan.h"
#include "vmm/supervisor/machine.h"
#include "vmm/supervisor/vfio.h"
#include "vmm/supervisor/vm_file.h"

namespace cede::supervisor {
namespace {

struct SocketPair {
  Fd shim;
  Fd qemu;
};

SocketPair make_socket_pair() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    throw std::system_error(errno, std::generic_category(), "cannot make a driver VM's sockets");
  }
  return {Fd(ends[0]), Fd(ends[1])};
}

struct Pipe {
  Fd in;
  Fd out;
};

Pipe make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    throw std::system_error(errno, std::generic_category(), "cannot make a driver VM's pipe");
  }
  return {Fd(ends[0]), Fd(ends[1])};
}

// What the two processes of one life share, or are told by. Ours only until both have started.
struct Lines {
  SocketPair bells = make_socket_pair();
  SocketPair monitor = make_socket_pair();
  SocketPair sessions = make_socket_pair();
  Pipe ready = make_pipe();
};

Launch shim_launch(const std::filesystem::path& program, unsigned ports, const Lines& lines,
                   const DriverDomain& driver) {
  const ShimDescriptors fds{.bells = lines.bells.shim.get(),
                            .monitor = lines.monitor.shim.get(),
                            .sessions = lines.sessions.shim.get(),
                            .stats = driver.stats->fd(),
                            .ready = lines.ready.out.get()};
  Launch launch;
  launch.arguments = shim_arguments(program, ports, fds);
  launch.inherited = {fds.bells, fds.monitor, fds.sessions, fds.stats, fds.ready};
  launch.open_files = kOpenFiles;
  return launch;
}

// All but the arguments.
Launch qemu_launch(const DriverDomain& driver, const QemuDescriptors& fds) {
  const DriverVm& vm = *driver.spec.vm;
  Launch launch;
  launch.inherited = {fds.kernel, fds.initrd, fds.bells, fds.monitor, fds.sessions, fds.console};
  for (const int device : {fds.disk, fds.uplink}) {
    if (device >= 0) launch.inherited.push_back(device);
  }
  launch.run_as = driver.domain.uid();
  launch.open_files = kOpenFiles;
  if (!vm.pci->empty()) {
    if (launch.run_as) give_vfio_group(*vm.pci, *launch.run_as);
    launch.locked_bytes = locked_for_vfio(*vm.machine.memory);
  }
  return launch;
}

}  // namespace

void Machine::start_driver_vm(std::size_t index) {
  DriverDomain& driver = *drivers_[index];
  const Vm& vm = driver.spec.vm->machine;
  const Fd kernel = open_for_vm(*vm.kernel, *driver.spec.name);
  const Fd initrd = open_for_vm(*vm.initrd, *driver.spec.name);
  Lines lines;
  const OpenInterface& uplink = driver.uplink.interface;
  const DriverVmFacts facts{.fds = {.kernel = kernel.get(),
                                    .initrd = initrd.get(),
                                    .bells = lines.bells.qemu.get(),
                                    .monitor = lines.monitor.qemu.get(),
                                    .sessions = lines.sessions.qemu.get(),
                                    .console = driver.console->pipe.write_end(),
                                    .disk = driver.disk.fd.get(),
                                    .uplink = uplink ? uplink.fds.front().get() : -1},
                            .disk_is_block_device = driver.disk.is_block_device,
                            .mtu = driver.uplink.mtu,
                            .accelerator = qemu::best_accelerator()};
  Launch qemu = qemu_launch(driver, facts.fds);
  qemu.arguments = driver_vm_arguments(system_, index, facts);
  driver.domain.start(*broker_, cgroup_, 0,
                      shim_launch(programs_.shim, driver_vm_ports(system_, index), lines, driver),
                      std::move(qemu));
  spdlog::info("the VM of '{}' runs as process {}", driver.domain.name(), driver.domain.vm_pid());
  watch_boot(index, std::move(lines.ready.in));
}

void Machine::watch_boot(std::size_t index, Fd ready) {
  DriverDomain& driver = *drivers_[index];
  VmBoot& boot = driver.boot.emplace();
  boot.pipe = std::move(ready);
  boot.watch = loop_.when_readable(boot.pipe.get(), [this, &driver, &boot] {
    boot.watch.reset();
    char byte = 0;
    // Nothing to read: the shim has ended, which is noticed elsewhere.
    if (::read(boot.pipe.get(), &byte, 1) != 1) return;
    boot.ready = true;
    boot.limit.reset();
    spdlog::info("the driver in the VM of '{}' is ready", driver.domain.name());
    grant_due();
  });
  boot.limit = loop_.after(kBootLimit, [&driver, &boot] {
    boot.overdue = true;
    driver.domain.kill();
  });
}

std::string Machine::vm_ended(DriverDomain& driver, const std::string& how) {
  const bool overdue = driver.boot && driver.boot->overdue;
  driver.boot.reset();
  driver.console->pipe.drain();
  const std::string& words = driver.console->log.last_line();
  return fmt::format(
      "{}; its console says {}",
      overdue ? fmt::format("killed: not ready within {} s", kBootLimit.count()) : how,
      words.empty() ? "nothing" : '\'' + words + '\'');
}

}  // namespace cede::supervisor
