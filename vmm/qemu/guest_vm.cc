// SPDX-License-Identifier: Apache-2.0
#include "vmm/qemu/guest_vm.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <initializer_list>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "vmm/process/deadline.h"
#include "vmm/qemu/escaped.h"

namespace cede::qemu {
namespace {

using std::chrono::milliseconds;

constexpr std::uint64_t kMiB = 1UL << 20;
constexpr std::uint64_t kMinMemory = 64 * kMiB;
constexpr unsigned kMaxVcpus = 255;
constexpr unsigned kMaxQueues = 1024;
constexpr milliseconds kListenTimeout{20'000};  // a loaded machine; half a second is usual
constexpr milliseconds kListenPoll{5};
constexpr std::size_t kLastWordsLength = 512;

std::string control_socket(const std::string& run_directory) {
  return run_directory + "/control.sock";
}
std::string console_file(const std::string& run_directory) {
  return run_directory + "/console.log";
}

std::string error_text() {
  return std::generic_category().message(errno);
}

// The last line of a log that is not empty, or the end of it where it is too long.
std::string last_line(const Fd& log) {
  struct stat info {};
  if (::fstat(log.get(), &info) != 0) return {};
  std::string text(std::min<std::size_t>(static_cast<std::size_t>(info.st_size), kLastWordsLength),
                   '\0');
  const ssize_t got =
      ::pread(log.get(), text.data(), text.size(), info.st_size - static_cast<off_t>(text.size()));
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  text.resize(text.find_last_not_of('\n') + 1);
  return text.substr(text.find_last_of('\n') + 1);
}

// Makes what is missing and removes what an earlier guest left. Returns QEMU's log, a new file:
// the user that the directory was given to may have put anything under its name.
Result<Fd> prepare_run_directory(const GuestOptions& options) {
  const std::string& path = options.run_directory;
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return Status::IoError;
  if (options.run_as) {
    if (::lchown(path.c_str(), *options.run_as, *options.run_as) != 0) {
      return Status::IoError;
    }
  }
  const std::string log = path + "/qemu.log";
  for (const std::string& old : {control_socket(path), log}) {
    if (::unlink(old.c_str()) != 0 && errno != ENOENT) return Status::IoError;
  }
  Fd file(::open(log.c_str(), O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600));
  if (!file) return Status::IoError;
  return file;
}

// QEMU makes the socket when it gets to it; until then there is none to connect to.
Result<Fd> connect_when_listening(const std::string& path, Process& process) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return Status::IoError;
  const Deadline deadline(kListenTimeout);
  while (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) !=
         0) {
    if (process.wait(kListenPoll)) return Status::Gone;
    if (deadline.passed()) return Status::TimedOut;
  }
  return socket;
}

}  // namespace

std::vector<std::string> qemu_arguments(const GuestOptions& options) {
  std::vector<std::string> arguments;
  const auto add = [&](std::initializer_list<std::string> more) {
    arguments.insert(arguments.end(), more);
  };
  const std::string memory = fmt::format("{}M", options.memory_bytes / kMiB);
  const std::string& run = options.run_directory;

  add({options.program, "-name", escaped(options.name)});
  add({"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"});
  // The memory is shared, because vhost-user backends serve the guest's rings in place.
  add({"-machine", "q35,memory-backend=mem", "-m", memory});
  add({"-object", fmt::format("memory-backend-memfd,id=mem,size={},share=on", memory)});
  // QEMU takes the first that works: its user may not have /dev/kvm where ours has.
  if (options.accelerator == Accelerator::Kvm) add({"-accel", "kvm"});
  add({"-accel", "tcg", "-cpu", "max", "-smp", fmt::format("{}", options.vcpus)});

  add({"-kernel", options.kernel, "-initrd", options.initrd});
  // On a loaded machine TCG's timer is too late for the kernel's check of it, and the guest panics.
  add({"-append", "console=ttyS0 panic=-1 no_timer_check"});

  add({"-chardev", "file,id=console,path=" + escaped(console_file(run))});
  add({"-serial", "chardev:console"});
  add({"-chardev",
       fmt::format("socket,id=control,path={},server=on,wait=off", escaped(control_socket(run)))});
  add({"-device", "virtio-serial-pci", "-device",
       "virtserialport,chardev=control,name=cede.control"});

  for (std::size_t i = 0; i < options.disks.size(); ++i) {
    const VhostUserDisk& disk = options.disks[i];
    add({"-chardev", fmt::format("socket,id=disk{},path={},reconnect=1", i, escaped(disk.socket))});
    add({"-device",
         fmt::format("vhost-user-blk-pci,chardev=disk{},num-queues={}", i, disk.queues)});
  }
  const bool legacy_interrupts =
      !options.nics.empty() && crashes_on_msix(options.program, options.accelerator);
  for (std::size_t i = 0; i < options.nics.size(); ++i) {
    const auto nic = nic_arguments(options.nics[i], fmt::format("nic{}", i), legacy_interrupts);
    arguments.insert(arguments.end(), nic.begin(), nic.end());
  }
  arguments.insert(arguments.end(), options.extra_arguments.begin(), options.extra_arguments.end());
  return arguments;
}

std::vector<std::string> nic_arguments(const VhostUserNic& nic, const std::string& id,
                                       bool legacy_interrupts) {
  const bool several = nic.queues > 1;
  std::string netdev = fmt::format("vhost-user,id={0}-net,chardev={0}", id);
  std::string device = fmt::format("virtio-net-pci,netdev={}-net,mac={}", id, nic.mac);
  if (several) {
    netdev += fmt::format(",queues={}", nic.queues);
    // One for each ring, one for changes of the configuration, one for the control queue.
    device += fmt::format(",mq=on,vectors={}", legacy_interrupts ? 0 : 2 * nic.queues + 2);
  } else if (legacy_interrupts) {
    device += ",vectors=0";
  }
  if (nic.mtu != kUsualMtu) device += fmt::format(",host_mtu={}", nic.mtu);
  if (!nic.features.empty()) device += "," + nic.features;
  return {"-chardev", fmt::format("socket,id={},path={},reconnect=1", id, escaped(nic.socket)),
          "-netdev",  netdev,
          "-device",  device};
}

bool crashes_on_msix(const std::string& program, Accelerator accelerator) {
  if (accelerator != Accelerator::Tcg) return false;
  const Fd output(::memfd_create("version", MFD_CLOEXEC));
  Process version = Process::start({.arguments = {program, "--version"}, .output = output.get()});
  if (!version.wait(kListenTimeout)) return false;
  std::array<char, 256> text{};
  (void)!::pread(output.get(), text.data(), text.size() - 1, 0);
  return std::string_view(text.data()).find("version 7.2.") != std::string_view::npos;
}

std::string problem_with(const GuestOptions& options) {
  constexpr std::size_t kMaxSocketPath = sizeof(sockaddr_un::sun_path) - 1;
  for (const std::string& path : {options.kernel, options.initrd}) {
    if (::access(path.c_str(), R_OK) != 0) {
      return fmt::format("cannot read '{}': {}; images/build makes it", path, error_text());
    }
  }
  if (options.memory_bytes < kMinMemory || options.memory_bytes % kMiB != 0) {
    return fmt::format("a guest's memory is a whole number of MiB, at least 64: not {} bytes",
                       options.memory_bytes);
  }
  if (options.vcpus < 1 || options.vcpus > kMaxVcpus) {
    return fmt::format("a guest has 1 to {} processors: not {}", kMaxVcpus, options.vcpus);
  }
  if (options.run_directory.empty()) return "a guest needs a run directory";
  if (const std::string path = control_socket(options.run_directory);
      path.size() > kMaxSocketPath) {
    return fmt::format(
        "'{}' is longer than the {} bytes of a socket's path; use a shorter directory", path,
        kMaxSocketPath);
  }
  for (const VhostUserNic& nic : options.nics) {
    if (nic.socket.empty() || nic.socket.size() > kMaxSocketPath) {
      return fmt::format("a network interface's socket path has 1 to {} bytes: not '{}'",
                         kMaxSocketPath, nic.socket);
    }
    if (nic.queues < 1 || nic.queues > kMaxQueues) {
      return fmt::format("a network interface has 1 to {} queues: not {}", kMaxQueues, nic.queues);
    }
  }
  for (const VhostUserDisk& disk : options.disks) {
    if (disk.socket.empty() || disk.socket.size() > kMaxSocketPath) {
      return fmt::format("a disk's socket path has 1 to {} bytes: not '{}'", kMaxSocketPath,
                         disk.socket);
    }
    if (disk.queues < 1 || disk.queues > kMaxQueues) {
      return fmt::format("a disk has 1 to {} queues: not {}", kMaxQueues, disk.queues);
    }
  }
  return {};
}

Result<GuestVm> GuestVm::start(const GuestOptions& options, std::string* problem) {
  const auto fail = [&](Status status, std::string text) -> Result<GuestVm> {
    if (problem != nullptr) *problem = std::move(text);
    return status;
  };
  if (std::string wrong = problem_with(options); !wrong.empty()) {
    return fail(Status::Invalid, std::move(wrong));
  }
  Result<Fd> log = prepare_run_directory(options);
  if (!log) {
    return fail(log.status(),
                fmt::format("cannot use '{}': {}", options.run_directory, error_text()));
  }
  Process process;
  try {
    process = Process::start({.arguments = qemu_arguments(options),
                              .inherited = options.inherited,
                              .output = log->get(),
                              .run_as = options.run_as});
  } catch (const std::runtime_error& error) {
    return fail(Status::IoError, fmt::format("{}; is qemu-system-x86 installed?", error.what()));
  }
  const std::string path = control_socket(options.run_directory);
  Result<Fd> socket = connect_when_listening(path, process);
  if (!socket) {
    process.kill();
    ::unlink(path.c_str());
    return fail(socket.status(), fmt::format("QEMU did not start: {}", last_line(*log)));
  }
  return GuestVm(options.run_directory, *std::move(log), std::move(process),
                 CommandChannel(*std::move(socket)));
}

GuestVm& GuestVm::operator=(GuestVm&& other) noexcept {
  if (this != &other) {
    kill();
    run_directory_ = std::move(other.run_directory_);
    log_ = std::move(other.log_);
    process_ = std::move(other.process_);
    channel_ = std::move(other.channel_);
  }
  return *this;
}

Result<CommandResult> GuestVm::run(std::string_view command, milliseconds timeout) {
  if (const Status status = channel_.submit(command); status != Status::Ok) return status;
  return channel_.wait(timeout);
}

Status GuestVm::power_off(milliseconds timeout) {
  const Deadline deadline(timeout);
  if (running()) {
    if (const Status status = channel_.submit("poweroff -f"); status != Status::Ok) return status;
  }
  const std::optional<int> exit_code = process_.wait(deadline.left());
  if (!exit_code) return Status::TimedOut;
  kill();
  return exit_code == 0 ? Status::Ok : Status::IoError;
}

void GuestVm::kill() {
  if (pid() == 0) return;  // moved from
  process_.kill();
  channel_ = CommandChannel();
  ::unlink(control_socket(run_directory_).c_str());
}

std::string GuestVm::last_words() const {
  return last_line(log_);
}

std::string GuestVm::console_log() const {
  return console_file(run_directory_);
}

}  // namespace cede::qemu
