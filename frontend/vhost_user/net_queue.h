// SPDX-License-Identifier: Apache-2.0
// The queues of a virtio-net device (virtio 1.2, sections 5.1.6.2 and 5.1.6.3).
//
// Frames are copied once, between guest memory and the session's region, and a guest's buffers are
// given back at once, in the order of the ring. So a queue has nothing in flight, ever: whatever
// dies, the ring alone says where to go on.
#pragma once

#include <cstdint>
#include <vector>

#include "frontend/net/net_device.h"
#include "frontend/net/turn.h"
#include "frontend/vhost_user/chain.h"
#include "frontend/vhost_user/virtqueue.h"
#include "frontend/vhost_user/vring.h"

namespace cede::vhost_user {

// What a frame costs beside its bytes, see Turn: 256 small ones are a turn.
inline constexpr std::uint32_t kPerFrame = 1024;

// What was agreed with the guest's driver about the header in front of each frame.
struct NetFormat {
  std::uint32_t header_bytes = sizeof(net::Header);  // or 10: legacy, and one buffer for each frame
  bool mergeable = false;                            // a frame may take several buffers
};

class NetQueue : public Vring {
 public:
  // Invalid: the ring cannot be.
  [[nodiscard]] Status start(const GuestMemory& memory, const QueueSetup& setup,
                             std::uint32_t base) noexcept;
  // Returns where the ring continues.
  std::uint32_t stop() noexcept;
  void rebind(const GuestMemory& memory) noexcept;
  [[nodiscard]] bool serving() const noexcept { return running() && enabled(); }

  // Shows the guest's driver what was given back.
  void publish() noexcept;
  void disarm() noexcept;

 protected:
  Virtqueue ring_;
  Chain chain_;
};

// Frames from the guest.
class NetTransmitQueue : public NetQueue {
 public:
  // Takes frames that are available, a bounded number, and sends them on `pair` of the session;
  // drops them where there is none. True: something moved.
  bool pass(const GuestMemory& memory, frontend::NetDevice* session, std::uint16_t pair,
            const NetFormat& format);
  // The session had no room for the next frame.
  [[nodiscard]] bool starved() const noexcept { return starved_; }
  // Before sleeping. True: there is a frame to take.
  [[nodiscard]] bool arm() noexcept;

  // Frames dropped for what they are, and for want of a session.
  [[nodiscard]] std::uint64_t malformed() const noexcept { return malformed_; }
  [[nodiscard]] std::uint64_t lost() const noexcept { return lost_; }

 private:
  // False: there is no room for it now.
  [[nodiscard]] bool send(const GuestMemory& memory, frontend::NetDevice& session,
                          std::uint16_t pair, const NetFormat& format);

  bool starved_ = false;
  std::uint64_t malformed_ = 0;
  std::uint64_t lost_ = 0;
};

// Frames to the guest.
class NetReceiveQueue : public NetQueue {
 public:
  enum class Outcome : std::uint8_t {
    Delivered,
    Waits,  // for more buffers; none were used
    Lost,   // no buffers of this queue could ever hold it
  };

  [[nodiscard]] Status start(const GuestMemory& memory, const QueueSetup& setup,
                             std::uint32_t base) noexcept;
  [[nodiscard]] Outcome deliver(const GuestMemory& memory, const frontend::Frame& frame,
                                const NetFormat& format);
  // Before sleeping, if a frame waits. True: more buffers have come.
  [[nodiscard]] bool arm() noexcept;

 private:
  struct Given {
    std::uint16_t head = 0;
    std::uint16_t slots = 0;
    std::uint32_t written = 0;
  };

  [[nodiscard]] bool more_buffers() noexcept;
  // Copies the next `bytes` of the frame to byte `offset` of the chain.
  [[nodiscard]] bool fill(const GuestMemory& memory, std::uint64_t offset, std::uint32_t bytes);

  Chain first_;               // of the frame under way: where its header goes
  std::vector<Given> given_;  // its buffers
  std::span<const std::span<const std::byte>> rest_;  // of its parts, beginning with part_
  std::span<const std::byte> part_;
  bool waits_ = false;       // the last frame found too few buffers...
  std::uint16_t ended_ = 0;  // ...which ended here
};

}  // namespace cede::vhost_user
