// SPDX-License-Identifier: Apache-2.0
// The seam between the multiplexer and whatever moves the bytes.
//
// Two engines stand behind it, chosen by what the disk turns out to be (open_disk()):
//   UringDisk   everything through io_uring: any file or block device
//   InlineDisk  reads and writes at once, by the thread itself: for files that live in memory. Such
//               a file cannot make a read wait for a device, but tmpfs does not say so to io_uring
//               (no RWF_NOWAIT), which then hands every read to a kernel worker: 613k reads a
//               second with two cores busy, where pread() does 909k with one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "driver_vm/block/disk_facts.h"
#include "driver_vm/engine/event_loop.h"

namespace cede::driver {

// A transfer is at most this long. The multiplexer cuts longer ones, so that others have their turn
// after each piece, and bounce buffers have this size.
inline constexpr std::uint32_t kTransferPiece = 64 << 10;

// One operation on the disk. Lives until it is finished.
struct DiskRequest {
  enum class Kind : std::uint8_t { Read, Write, Flush, Discard, WriteZeroes };

  Kind kind{};
  bool unmap = false;        // WriteZeroes may deallocate
  std::uint16_t buffer = 0;  // the fixed buffer that the memory is a part of; or kNotPinned
  std::uint32_t length = 0;
  std::uint64_t offset = 0;  // on the disk
  std::byte* memory = nullptr;

  [[nodiscard]] bool transfers() const noexcept {
    return kind == Kind::Read || kind == Kind::Write;
  }
};

enum class DiskOutcome : std::uint8_t { Ok, Error, Unsupported };

class DiskClient {
 public:
  virtual void finished(DiskRequest& request, DiskOutcome outcome) = 0;

 protected:
  ~DiskClient() = default;
};

class Disk {
 public:
  Disk() = default;
  Disk(const Disk&) = delete;
  Disk& operator=(const Disk&) = delete;
  virtual ~Disk() = default;

  [[nodiscard]] virtual const DiskFacts& facts() const noexcept = 0;
  // Who hears of finished requests. Before the first start().
  virtual void attach(DiskClient& client) noexcept = 0;
  // At most `depth` requests at a time. May finish the request before it returns.
  virtual void start(DiskRequest& request) = 0;
  // Makes everything written stay, and waits for it.
  virtual void settle() noexcept = 0;
};

// The operations that start() of any engine needs from the loop.
[[nodiscard]] std::span<const std::uint8_t> disk_operations() noexcept;

// May the memory of requests be pinned? A request that is not goes through pinned memory of the
// disk's own.
enum class RequestMemory : std::uint8_t { Pinned, NotPinned };

// The engine that fits. `fd` and `loop` outlive it; takes the loop's one set of fixed files, so
// before EventLoop::start().
[[nodiscard]] std::unique_ptr<Disk> open_disk(int fd, const DiskFacts& facts, EventLoop& loop,
                                              std::size_t depth, RequestMemory memory);

}  // namespace cede::driver
