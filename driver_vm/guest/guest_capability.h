// SPDX-License-Identifier: Apache-2.0
// Sessions as they come to the driver in a driver VM (protocols/driver_vm.h).
//
// An Offer is held back until the guest's kernel has found the session's region, which it does in
// its own time: who receives never waits. A session that closes meanwhile is answered here, and one
// whose region does not come is refused.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "driver_vm/guest/packet_stream.h"
#include "driver_vm/session_host/capability.h"

namespace cede::driver {

class GuestCapability final : public Capability {
 public:
  static constexpr Duration kPatience = 10 * kSecond;  // with a region's arrival
  static constexpr Duration kLook = 5 * kMillisecond;  // for it, and for room in the stream

  // The ends of the session at `port`, or nothing where the region is not there yet. Ends use
  // `stream`.
  using FindEnds = std::function<std::unique_ptr<SessionEnds>(unsigned port, PacketStream& stream)>;

  // `ports`: how many sessions there can be.
  GuestCapability(Fd stream, unsigned ports, FindEnds find_ends);

  [[nodiscard]] int fd() const noexcept override { return stream_.fd(); }
  // The first call says Hello: whoever receives is ready.
  [[nodiscard]] Result<Incoming> receive() override;
  [[nodiscard]] Instant deadline() const noexcept override;
  void send(const Message& message) override;
  [[nodiscard]] bool all_sent() const noexcept override { return stream_.all_sent(); }

 private:
  struct Awaited {
    Message offer;
    unsigned port = 0;
    Instant give_up = 0;
  };

  void await(const VmPacket& packet);
  // Says Release for a session that is still awaited. False: it is not.
  [[nodiscard]] bool forget(Handle session);
  // An Offer whose region is there. Busy: none. Refuses those that are overdue.
  [[nodiscard]] Result<Incoming> next_arrival();
  void answer(MessageType type, const Message& offer, Status status);

  PacketStream stream_;
  unsigned ports_;
  FindEnds find_ends_;
  bool greeted_ = false;
  std::vector<Awaited> awaited_;
  Instant look_again_ = kNever;
};

}  // namespace cede::driver
