// SPDX-License-Identifier: Apache-2.0
// Plugs regions into a running QEMU, one ivshmem-plain device for each, and takes them out again.
//
//   plug    add-fd -> object-add memory-backend-file -> remove-fd -> device_add, and back from
//   where
//           it fails. QEMU maps the region at object-add.
//   unplug  device_del -> the guest lets go -> DEVICE_DELETED -> object-del
//
// Only the region's memfd is passed; it cannot be waited for, so QEMU cannot make closing it hang.
// After an unplug QEMU unmaps the region within a moment (an RCU period of its own); the proof is
// the memory cgroup's, not this. Until then the name of the memory is taken, and QEMU 7.2 aborts
// when it comes again: so every plug has a new one.
//
// QEMU and the guest are not trusted: both can refuse, lie, or stay silent. So everything has a
// deadline, after which the outcome is TimedOut, and whoever cannot wait any longer kills QEMU. A
// guest can give up a device unasked: then the outcome is Unplugged with Gone.
// No call blocks. One thread at a time.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocols/posix/fd.h"
#include "protocols/status.h"
#include "vmm/process/deadline.h"
#include "vmm/qemu/qmp_client.h"

namespace cede::qemu {

struct RegionDevice {
  std::string name;  // a letter, then letters, digits, '-' and '.': QEMU's id of the device
  std::string bus;   // an empty root port, see session_ports.h
};

struct PlugOutcome {
  enum class Kind { Plugged, Unplugged };
  std::string name;
  Kind kind{};
  // Plugged: Refused, with nothing left of it. Unplugged: Gone, if the guest or QEMU did it
  // unasked. Either: TimedOut; the matter is still open, and may have another outcome later.
  Status status{};
  std::string problem{};  // in QEMU's words, if it had any
};

class HotPlug {
 public:
  static constexpr std::size_t kMaxDevices = 128;

  // A socket connected to QEMU's monitor, for this alone.
  explicit HotPlug(Fd monitor) : qmp_(std::move(monitor)) {}

  // Call turn() when fd() is readable, and no later than after until_due().
  [[nodiscard]] int fd() const noexcept { return qmp_.fd(); }
  [[nodiscard]] std::chrono::milliseconds until_due() const;
  // One bounded round. Gone: QEMU ended. Broken: it makes no sense, and had better be killed.
  [[nodiscard]] Status turn();
  // QEMU has said that it takes commands.
  [[nodiscard]] bool ready() const noexcept { return ready_; }

  // Begins; the outcome comes out of next_outcome(). `region`, a memfd, is borrowed for the call.
  // Invalid: a name out of range; or as region_bytes() says. Busy: the name or the bus is in use,
  // or QEMU does not read. Full: kMaxDevices. WrongState: not ready(), or the region is sealed
  // already. Gone: QEMU ended.
  Status plug(const RegionDevice& device, int region, std::chrono::milliseconds timeout);
  // Begins. Allowed again after TimedOut. Stale: there is no such device. WrongState: its plugging
  // or unplugging is under way.
  Status unplug(std::string_view name, std::chrono::milliseconds timeout);

  [[nodiscard]] std::optional<PlugOutcome> next_outcome();

 private:
  enum class Step {
    AddFd,
    AddMemory,
    DropFd,
    AddDevice,
    UndoFd,      // object-add failed
    UndoMemory,  // device_add failed
    Plugged,
    DelDevice,     // device_del was sent, the device is there
    RemoveMemory,  // the device is gone
    Forgotten,
  };
  struct Device {
    RegionDevice what{};
    std::uint64_t bytes = 0;
    std::uint64_t life = 0;  // a number that no other plug has
    int qemu_fd = -1;        // QEMU's number of the region's descriptor, as it says
    Step step = Step::AddFd;
    std::uint32_t command = 0;           // whose reply is awaited; 0: none
    std::optional<Deadline> deadline{};  // until the outcome is TimedOut
    std::optional<Deadline> again{};     // object-del was refused: try again then
    Status failure = Status::Ok;         // for the outcome
    std::string problem{};
  };

  Status advance(Device& device, Step step, int descriptor = -1);
  void replied(const QmpMessage& reply);
  void failed(Device& device, const QmpMessage& reply);
  void happened(const QmpMessage& event);
  void look_at_clock();
  void finish(Device& device, PlugOutcome::Kind kind, Status status);
  [[nodiscard]] Device* find(std::string_view name);

  QmpClient qmp_;
  bool ready_ = false;
  std::uint64_t lives_ = 0;
  std::vector<Device> devices_;
  std::deque<PlugOutcome> outcomes_;  // two for each device at most, between two turns
};

}  // namespace cede::qemu
