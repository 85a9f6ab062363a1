// SPDX-License-Identifier: Apache-2.0
// The host shim of a driver VM: between the broker, the VM's QEMU and the driver in its guest.
//
//   broker --capability socket--> SessionTable --QMP--> HotPlug: regions to QEMU
//                                      |-------virtio-serial---> GuestStream: words to the guest
//                                      '-------one a session---> DoorbellBridge: bells
//
// One thread, one epoll set, level-triggered; each turn does a bounded piece of work for each
// source, and no call blocks, whatever QEMU, its guest or a client does. The broker is trusted; the
// rest may lie, flood and stand still, and costs its own domain at most.
//
// It maps no region and keeps no descriptor of one: what a session is made of is QEMU's and the
// guest's, and ends with the domain.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <string_view>
#include <vector>

#include "protocols/ivshmem.h"
#include "protocols/posix/control_link.h"
#include "protocols/posix/fd.h"
#include "vmm/qemu/doorbell_bridge.h"
#include "vmm/qemu/hot_plug.h"
#include "vmm/qemu/ivshmem_server.h"
#include "vmm/qemu/shim/guest_stream.h"
#include "vmm/qemu/shim/session_table.h"

namespace cede::qemu {

struct ShimParts {
  Fd capability;      // to the broker
  Fd monitor;         // to QEMU's monitor, for this alone
  Fd sessions;        // to the virtio-serial port kDriverVmPort
  Fd ready;           // gets one byte when the guest has said Hello; may be empty
  Fd stop;            // readable when the program is to end
  IvshmemEnds bells;  // a pair for each port
};

class Shim final : private SessionActions {
 public:
  // Throws std::runtime_error where the kernel has no epoll set for it.
  explicit Shim(ShimParts parts);

  // Serves until the broker or a signal ends it (0), or QEMU or its guest does (1).
  [[nodiscard]] int run();

 private:
  // What epoll tells of; from kBridges on, a port's bridge.
  enum Source : std::uint32_t { kStop, kBroker, kBells, kMonitor, kGuest, kBridges };
  static constexpr int kEventsPerTurn = kBridges + static_cast<int>(kMaxBells);

  void happened(std::uint32_t source, std::uint32_t events);
  void hear_broker();
  void hear_guest();
  void heard_of_guest(Status status);
  void turn_plug();
  [[nodiscard]] int until_due() const;  // milliseconds
  void look_at_clock();
  void flush_to_broker();
  [[nodiscard]] bool watch(int fd, std::uint32_t source);
  void want_room(int fd, Source source, bool wanted);
  // The first reason is the one that counts.
  void end(int status, std::string_view reason);

  // SessionActions
  [[nodiscard]] Status plug(unsigned port, const Fd& region) override;
  void unplug(unsigned port) override;
  [[nodiscard]] Status open_bells(unsigned port, Fd kick, Fd call) override;
  void close_bells(unsigned port) override;
  void hold_kicks(unsigned port, std::chrono::microseconds time) override;
  void guest_is_ready() override;
  void tell_guest(unsigned port, const Message& message) override;
  void tell_broker(const Message& message) override;

  Fd set_;
  Fd stop_;
  Fd ready_;
  ControlLink broker_;
  std::deque<Message> to_broker_;  // what the socket had no room for
  IvshmemEnds bells_;
  HotPlug plug_;
  GuestStream guest_;
  SessionTable sessions_;
  std::vector<std::optional<DoorbellBridge>> bridges_;  // by port
  std::vector<bool> unplug_again_;                      // by port: QEMU did not read
  std::array<bool, kBridges> room_wanted_{};
  std::optional<int> exit_status_;
};

}  // namespace cede::qemu
