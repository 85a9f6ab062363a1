// SPDX-License-Identifier: Apache-2.0
// A disk through io_uring: from the medium into the donated page and back, with no copy of ours
// where that page can be pinned, and one through a bounce buffer where it cannot.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "driver_vm/block/disk.h"
#include "driver_vm/engine/event_loop.h"
#include "driver_vm/engine/pinned_memory.h"

namespace cede::driver {

class UringDisk final : public Disk {
 public:
  // `fd` is the loop's fixed file kFile. Throws std::system_error.
  UringDisk(int fd, const DiskFacts& facts, EventLoop& loop, std::size_t depth,
            RequestMemory memory);

  static constexpr int kFile = 0;

  [[nodiscard]] const DiskFacts& facts() const noexcept override { return facts_; }
  void attach(DiskClient& client) noexcept override { client_ = &client; }
  void start(DiskRequest& request) override;
  void settle() noexcept override;

 private:
  // How a request is carried out; some take more than one operation.
  enum class Method : std::uint8_t {
    Read,
    Write,
    Sync,
    Punch,
    ZeroRange,
    PunchForAllocate,  // where ZERO_RANGE is missing: a hole first, then Allocate
    Allocate,
    FillWithZeroes,  // the last resort
  };

  class Operation final : public Event {
   public:
    explicit Operation(UringDisk& disk) : disk_(disk) {}
    void complete(std::int32_t result, bool more) override;

    UringDisk& disk_;
    DiskRequest* request = nullptr;
    Method method{};
    std::uint32_t done = 0;       // bytes, of a method that goes piece by piece
    std::byte* bounce = nullptr;  // kBounce bytes, where requests are not pinned
  };

  [[nodiscard]] static bool bounces(const DiskRequest& request) noexcept {
    return request.buffer == EventLoop::kNotPinned;
  }
  [[nodiscard]] Method method_for(const DiskRequest& request) const noexcept;
  void issue(Operation& operation);
  void completed(Operation& operation, std::int32_t result);
  [[nodiscard]] static std::uint32_t erase_piece(const Operation& operation) noexcept;
  // So much of it is done.
  void advance(Operation& operation, std::uint32_t bytes);
  void finish(Operation& operation, DiskOutcome outcome);

  int fd_;
  DiskFacts facts_;
  EventLoop& loop_;
  DiskClient* client_ = nullptr;
  static constexpr std::size_t kZeroes = 64 << 10;
  static constexpr std::size_t kBounce = kTransferPiece;
  // An erase has the file's lock, for which the writes of all clients wait.
  static constexpr std::uint32_t kErasePiece = 1 << 20;
  PinnedMemory zeroes_;
  std::optional<PinnedMemory> bounce_;  // of all operations
  std::vector<std::unique_ptr<Operation>> operations_;
  std::vector<Operation*> free_;
};

}  // namespace cede::driver
