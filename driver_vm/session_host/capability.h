// SPDX-License-Identifier: Apache-2.0
// The seam between the session host, which knows sessions, and the way by which they reach this
// program: a capability socket (socket_capability.h) where it is a process of the host, a virtual
// machine's devices (guest/guest_capability.h) where it is alone in a driver VM.
//
// All calls come from the worker's one thread. None blocks.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "driver_vm/clock.h"
#include "protocols/control.h"
#include "protocols/status.h"

namespace cede::driver {

// One session's region and bells, as the driver has them. Its end lets go of all of them.
class SessionEnds {
 public:
  SessionEnds() = default;
  SessionEnds(const SessionEnds&) = delete;
  SessionEnds& operator=(const SessionEnds&) = delete;
  virtual ~SessionEnds() = default;

  // Maps the region read-write, once. Invalid: it is not of that size.
  [[nodiscard]] virtual Result<std::span<std::byte>> map(std::size_t bytes) = 0;
  // Is it memory that the kernel can pin (EventLoop::pin())?
  [[nodiscard]] virtual bool pinnable() const noexcept = 0;

  // The client has taken memory of the region back, and zeroes are in the place of all of it: only
  // where it can (revocable_region.h).
  [[nodiscard]] virtual bool taken_back() const noexcept { return false; }

  // Becomes readable when the client kicks; a kick after clear_kick() is a new edge.
  [[nodiscard]] virtual int kick_fd() const noexcept = 0;
  virtual void clear_kick() noexcept = 0;
  // The kicks announce nothing: whoever carries them may keep them back for so long.
  virtual void hold_kicks(Duration duration) noexcept = 0;
  // Wakes the client.
  virtual void call() noexcept = 0;
};

class Capability {
 public:
  struct Incoming {
    Message message;
    std::unique_ptr<SessionEnds> ends;  // of a well-formed Offer
  };

  Capability() = default;
  Capability(const Capability&) = delete;
  Capability& operator=(const Capability&) = delete;
  virtual ~Capability() = default;

  // Becomes readable when something came.
  [[nodiscard]] virtual int fd() const noexcept = 0;
  // The next message. Busy: nothing there now. Gone: nothing will come any more. Before that, sends
  // what send() had no room for.
  [[nodiscard]] virtual Result<Incoming> receive() = 0;
  // When receive() has something to do without fd() saying so.
  [[nodiscard]] virtual Instant deadline() const noexcept = 0;

  // In order, as soon as there is room. What cannot be sent because the other side is gone is lost,
  // as receive() will show.
  virtual void send(const Message& message) = 0;
  // Nothing waits for room.
  [[nodiscard]] virtual bool all_sent() const noexcept = 0;
};

}  // namespace cede::driver
