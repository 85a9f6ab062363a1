// SPDX-License-Identifier: Apache-2.0
// A port of a driver's switch on a session: the net frontend library.
//
//   auto device = NetDevice::attach(std::move(session));   // a connected Session
//   if (auto room = device->reserve(0, 1514); !room.empty()) {
//     ... write the frame into room
//     device->send(0, length, header);
//   }
//   while (device->receive(0, frame)) {
//     ... read frame.parts
//     device->release(0);                                  // its buffers are the driver's again
//   }
//   device->publish();                                     // rings only if the driver sleeps
//   if (device->arm()) ... wait for device->wait_fd() to be readable, device->clear_wakeup()
//
// Each queue pair's payload is divided in two: receive buffers, all of them posted at attach(), and
// a transmit area that is used in the order of the frames. Nothing blocks; nothing but attach()
// allocates memory. One thread at a time.
//
// The driver is not trusted: every answer is copied once and checked; one that cannot be right
// makes the device broken() for good. What the frames say is anybody's, and so is their payload,
// which their sender cannot change any more, but the driver can: parse copies.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "frontend/session.h"
#include "protocols/bell_guard.h"
#include "protocols/net.h"
#include "protocols/status.h"

namespace cede::frontend {

// A received frame, where the driver has put it. Buffers that touch each other are one part: mostly
// there is one, and two where the ring begins anew.
struct Frame {
  net::Header header{};      // consistent(), and within the offloads that were set
  std::uint32_t length = 0;  // of all parts
  std::uint32_t part_count = 0;
  std::array<std::span<const std::byte>, net::kMaxParts> parts;
};

class NetDevice {
 public:
  // Invalid: the driver's Info makes no sense, or the session's region cannot carry a port (ask the
  // broker for net::port_geometry()). The session is then closed.
  [[nodiscard]] static Result<NetDevice> attach(Session session);
  NetDevice(NetDevice&&) noexcept;
  NetDevice& operator=(NetDevice&&) noexcept;
  ~NetDevice();

  [[nodiscard]] const net::Info& info() const noexcept;
  [[nodiscard]] const Session& session() const noexcept;
  [[nodiscard]] std::uint16_t pairs() const noexcept;
  // As last heard from the driver; follows changes as receive() and arm() are called.
  [[nodiscard]] net::LinkState link() const noexcept;

  // Room for one frame of at most `bytes` (net::kMaxFrame at most). Empty: no room or no slot until
  // the driver answers. Gives up the room of an earlier reserve() that was not sent.
  [[nodiscard]] std::span<std::byte> reserve(std::uint16_t pair, std::uint32_t bytes) noexcept;
  // The first `length` bytes of the last reserve() are a frame. The header is the caller's word:
  // one that is not consistent() costs this frame, at the driver.
  void send(std::uint16_t pair, std::uint32_t length, const net::Header& header) noexcept;
  // Frames sent and not yet answered: their room is in use.
  [[nodiscard]] std::uint32_t in_flight(std::uint16_t pair) const noexcept;
  // Frames that the driver did not take for a fault of ours.
  [[nodiscard]] std::uint64_t refused() const noexcept;

  // The next frame, whose parts stay valid until release(), or the next receive() of this pair.
  // False: there is none.
  [[nodiscard]] bool receive(std::uint16_t pair, Frame& frame) noexcept;
  // Gives the buffers of the last receive() back to the driver.
  void release(std::uint16_t pair) noexcept;

  // Shows everything sent and released to the driver, and wakes it where it sleeps.
  void publish() noexcept;

  // What may be left undone in received frames (net::Offload), none at first. The driver is asked
  // at the next publish(). From this call on receive() gives no frame that leaves more undone: one
  // that was on its way is dropped, and counted as unfit().
  void set_offloads(std::uint32_t offloads) noexcept;
  // The driver has agreed; it never does if it does not answer, or refuses.
  [[nodiscard]] bool offloads_settled() const noexcept;
  [[nodiscard]] std::uint64_t unfit() const noexcept;

  [[nodiscard]] bool broken() const noexcept;

  // Before sleeping, after publish(). True: nothing to receive until wait_fd() is readable; with
  // `for_room`, no room either where the last reserve() was in vain. A pair whose frame was not
  // released yet is left out: nothing more can be received there. False: look again (room that has
  // come is told once), or the device is broken.
  [[nodiscard]] bool arm(bool for_room) noexcept;
  [[nodiscard]] int wait_fd() const noexcept;
  void clear_wakeup() noexcept;
  // Tells whether the driver rings in vain. For those who sleep; stays where it is until detach().
  [[nodiscard]] BellGuard& guard() noexcept;

  // Gives the session back, for closing.
  [[nodiscard]] Session detach() && noexcept;

 private:
  struct State;
  explicit NetDevice(std::unique_ptr<State> state) noexcept;
  std::unique_ptr<State> state_;
};

}  // namespace cede::frontend
