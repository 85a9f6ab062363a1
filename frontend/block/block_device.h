// SPDX-License-Identifier: Apache-2.0
// A block device on a session: the asynchronous frontend library.
//
//   auto device = BlockDevice::attach(std::move(session));   // a connected Session
//   auto buffer = device->allocate(4096);                    // payload pages, ours until submit
//   device->submit({.kind = Operation::Kind::Read, .payload = *buffer, .cookie = 7});
//   device->publish();                                       // rings only if the driver sleeps
//   for (;;) {
//     const auto done = device->poll(completions);           // never blocks
//     ... use device->bytes(*buffer), then release or submit it again
//     if (device->broken()) break;                           // replay unanswered() elsewhere
//     if (!device->arm()) continue;
//     ... wait for device->wait_fd() to be readable
//     device->clear_wakeup();
//   }
//
// Ownership: an extent belongs to the caller from allocate() to submit() and from its completion to
// release(); in between its bytes are the driver's. Nothing here blocks; nothing but attach() and
// unanswered() allocates memory. One thread at a time.
//
// The driver is not trusted: a response is copied once, its id must be in flight and its status
// known; anything else makes the device broken() for good. A device that broke, or whose session
// ends, still tells which operations were left unanswered(), for a replay on the next session.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "frontend/session.h"
#include "protocols/bell_guard.h"
#include "protocols/block.h"
#include "protocols/status.h"

namespace cede::frontend {

// A contiguous run of payload bytes in the session's region.
struct Extent {
  std::uint64_t offset = 0;  // from the start of the region; allocate() gives multiples of a page
  std::uint32_t length = 0;  // bytes as asked for in allocate()
};

struct Operation {
  enum class Kind : std::uint8_t { Read, Write, Flush, Discard, WriteZeroes, GetId };

  Kind kind{};
  std::uint64_t sector = 0;       // of 512 bytes
  Extent payload{};               // Read, Write, GetId: all of it is transferred; may be a part of
                                  // an allocated extent, from a multiple of the logical block on
  std::uint64_t cookie = 0;       // the caller's; comes back in the Completion
  std::uint32_t erase_bytes = 0;  // Discard, WriteZeroes
  bool unmap = false;             // WriteZeroes may deallocate
};

struct Completion {
  std::uint64_t cookie = 0;
  std::uint32_t status = 0;  // VIRTIO_BLK_S_OK, _IOERR or _UNSUPP
};

class BlockDevice {
 public:
  // Invalid: the driver's Info makes no sense, or the session's region is not what its geometry
  // says, or cannot carry block requests. The session is then closed.
  [[nodiscard]] static Result<BlockDevice> attach(Session session);
  BlockDevice(BlockDevice&&) noexcept;
  BlockDevice& operator=(BlockDevice&&) noexcept;
  ~BlockDevice();

  [[nodiscard]] const block::Info& info() const noexcept;
  [[nodiscard]] const Session& session() const noexcept;
  // Operations that can be in flight on each ring, and how many more can be now.
  [[nodiscard]] std::uint32_t slots() const noexcept;
  [[nodiscard]] std::uint32_t free_slots(std::uint16_t ring = 0) const noexcept;
  [[nodiscard]] std::uint16_t rings() const noexcept;
  // Bytes of one read or write at most: what the driver takes, and what one extent can hold.
  [[nodiscard]] std::uint32_t max_transfer() const noexcept;

  // Payload for one operation, 1 to max_transfer() bytes, page-aligned. Nothing: no run that long
  // is free now; release() makes room.
  [[nodiscard]] std::optional<Extent> allocate(std::uint32_t bytes) noexcept;
  // False: not an extent that allocate() gave and that is still out (the caller's error).
  bool release(Extent extent) noexcept;
  // Empty for an extent that does not lie in the payload.
  [[nodiscard]] std::span<std::byte> bytes(Extent extent) const noexcept;

  // Busy: the ring is full. Invalid: out of the volume's bounds, misaligned, too long, or against
  // its features. Broken: see broken(). On Ok the extent is the driver's until the completion.
  [[nodiscard]] Status submit(const Operation& operation, std::uint16_t ring = 0) noexcept;
  // Shows everything submitted to the driver, and wakes it where it sleeps.
  void publish() noexcept;

  // Moves finished operations of all rings to `out`, at most out.size(); returns how many.
  [[nodiscard]] std::size_t poll(std::span<Completion> out) noexcept;
  [[nodiscard]] std::uint32_t in_flight() const noexcept;
  [[nodiscard]] bool broken() const noexcept;
  // Cookies of the operations submitted and not completed, oldest first.
  [[nodiscard]] std::vector<std::uint64_t> unanswered() const;

  // Before sleeping, after publish(). True: nothing to do until wait_fd() is readable. False:
  // poll() again, or the device is broken.
  [[nodiscard]] bool arm() noexcept;
  [[nodiscard]] int wait_fd() const noexcept;
  void clear_wakeup() noexcept;
  // Tells whether the driver rings in vain. For those who sleep; stays where it is until detach().
  [[nodiscard]] BellGuard& guard() noexcept;

  // Gives the session back, for closing. Ask for unanswered() before.
  [[nodiscard]] Session detach() && noexcept;

 private:
  struct State;
  explicit BlockDevice(std::unique_ptr<State> state) noexcept;
  std::unique_ptr<State> state_;
};

}  // namespace cede::frontend
