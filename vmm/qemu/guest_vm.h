// SPDX-License-Identifier: Apache-2.0
// A client's virtual machine: stock QEMU that boots a kernel directly, with disks over vhost-user.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocols/posix/fd.h"
#include "protocols/status.h"
#include "vmm/process/process.h"
#include "vmm/qemu/accelerator.h"
#include "vmm/qemu/command_channel.h"

namespace cede::qemu {

struct VhostUserDisk {
  std::string socket;   // path; a backend must listen on it before the guest starts
  unsigned queues = 1;  // 1 to 1024
};

inline constexpr std::uint64_t kUsualMtu = 1500;  // of an interface that is told nothing

struct VhostUserNic {
  std::string socket;             // path; a backend must listen on it before the guest starts
  std::string mac;                // "52:54:00:12:34:56"
  unsigned queues = 1;            // pairs, 1 to 1024
  std::string features = {};      // for virtio-net-pci, such as "guest_tso4=off,csum=off"
  std::uint64_t mtu = kUsualMtu;  // what the guest's interface begins with
};

struct GuestOptions {
  std::string program = "qemu-system-x86_64";  // looked for in PATH
  std::string name = "guest";                  // shown in QEMU's messages
  std::string kernel;                          // path
  std::string initrd;                          // path; images/build makes one for command channels
  std::uint64_t memory_bytes = 256UL << 20;    // whole MiB, at least 64 of them
  unsigned vcpus = 1;                          // 1 to 255
  std::vector<VhostUserDisk> disks;            // /dev/vda, /dev/vdb, ... in this order
  std::vector<VhostUserNic> nics;              // eth0, eth1, ... in this order
  std::vector<std::string> extra_arguments;    // for QEMU, as they are
  std::vector<int> inherited;                  // borrowed descriptors for extra_arguments
  // Takes the control socket, console.log (the guest's words) and qemu.log (QEMU's). Made if it is
  // missing. The logs stay; they grow as long as the guest writes, so quotas are the caller's.
  std::string run_directory;
  Accelerator accelerator = Accelerator::Tcg;  // see best_accelerator()
  std::optional<uid_t> run_as;                 // see Launch; the run directory is given to it
};

// The whole command line, the program first. Needs nothing of us at the other end: it can be
// pasted into a shell whose current directory does not matter if the paths are absolute.
[[nodiscard]] std::vector<std::string> qemu_arguments(const GuestOptions& options);

// The arguments for one network interface, whose QEMU objects are named after `id`.
[[nodiscard]] std::vector<std::string> nic_arguments(const VhostUserNic& nic, const std::string& id,
                                                     bool legacy_interrupts);

// QEMU 7.2 ends with a segmentation fault where vhost-user-net meets MSI-X under TCG
// (virtio_pci_vector_unmask asks for a KVM irqfd). There, and only there, its guests get one legacy
// interrupt for each device.
[[nodiscard]] bool crashes_on_msix(const std::string& program, Accelerator accelerator);

// One line that says what is wrong with the options, and how to mend it; empty if nothing is.
[[nodiscard]] std::string problem_with(const GuestOptions& options);

// For one thread at a time. Two guests can work at once with one thread: submit() to both, then
// wait() for both.
class GuestVm {
 public:
  // QEMU runs when this returns; its guest boots. QEMU is killed with the thread that calls this.
  // On failure `problem`, if given, gets one line that says why.
  // Invalid: the options are wrong. Gone: QEMU gave up at once. TimedOut: it does not answer.
  static Result<GuestVm> start(const GuestOptions& options, std::string* problem = nullptr);

  GuestVm(GuestVm&&) noexcept = default;
  GuestVm& operator=(GuestVm&& other) noexcept;
  GuestVm(const GuestVm&) = delete;
  GuestVm& operator=(const GuestVm&) = delete;
  ~GuestVm() { kill(); }

  // See CommandChannel. After Gone, last_words() often tells why.
  Status wait_ready(std::chrono::milliseconds timeout) { return channel_.wait_ready(timeout); }
  Status submit(std::string_view command) { return channel_.submit(command); }
  Result<CommandResult> wait(std::chrono::milliseconds timeout) { return channel_.wait(timeout); }

  // submit() and wait().
  Result<CommandResult> run(std::string_view command, std::chrono::milliseconds timeout);

  // Stays what it was after QEMU ended.
  [[nodiscard]] pid_t pid() const noexcept { return process_.pid(); }
  [[nodiscard]] bool running() { return !process_.wait(std::chrono::milliseconds::zero()); }

  // Tells the guest to power off, and waits until QEMU has ended. TimedOut: it still runs.
  // Busy, WrongState: the guest does not take commands now. IoError: QEMU ended with an error.
  Status power_off(std::chrono::milliseconds timeout);

  // Pulls the plug: no process and no socket is left.
  void kill();

  // The last line that QEMU itself has said, cut to a bearable length; empty if none.
  [[nodiscard]] std::string last_words() const;

  // Where the guest's kernel and init print. With run_as, the file is as trustworthy as that user.
  [[nodiscard]] std::string console_log() const;

 private:
  GuestVm(std::string run_directory, Fd log, Process process, CommandChannel channel)
      : run_directory_(std::move(run_directory)),
        log_(std::move(log)),
        process_(std::move(process)),
        channel_(std::move(channel)) {}

  std::string run_directory_;
  Fd log_;  // kept open: by its path, another file may be found later
  Process process_;
  CommandChannel channel_;
};

}  // namespace cede::qemu
