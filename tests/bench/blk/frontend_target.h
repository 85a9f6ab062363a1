// SPDX-License-Identifier: Apache-2.0
// Our frontend library in this process, as a client domain of a broker.
#pragma once

#include <optional>
#include <vector>

#include "frontend/block/block_device.h"
#include "frontend/session_client.h"
#include "tests/bench/blk/load.h"

namespace cede::bench {

class FrontendTarget final : private frontend::SessionObserver {
 public:
  // Room for kMaxPayload and the ring.
  static constexpr Geometry kGeometry{
      .pages = 512, .rings = 1, .slot_bytes = block::kSlotBytes, .slots = kMaxDepth};
  static_assert(kGeometry.bytes() - kGeometry.data_offset() >= kMaxPayload);

  // Takes the first device that is granted. Throws std::runtime_error.
  explicit FrontendTarget(Fd capability);
  FrontendTarget(const FrontendTarget&) = delete;
  FrontendTarget& operator=(const FrontendTarget&) = delete;
  // Closes the session in order.
  ~FrontendTarget() override;

  void prepare(std::uint32_t depth, std::uint32_t bytes);
  [[nodiscard]] std::span<std::byte> buffer(std::uint32_t slot) {
    return device_->bytes(extents_[slot]);
  }
  void submit(std::uint32_t slot, bool write, std::uint64_t sector);
  void publish() { device_->publish(); }
  std::size_t poll(std::span<Done> out);
  void wait(int milliseconds);

 private:
  void connected(std::size_t device, frontend::Session session) override;
  void ending(std::size_t device, Status reason) override;
  void failed(std::size_t /*device*/, Status reason) override { last_failure_ = reason; }

  // One round of the control conversation; waits for news, but not for long.
  [[nodiscard]] Status converse();

  frontend::SessionClient client_;
  std::optional<frontend::BlockDevice> device_;
  std::vector<frontend::Extent> extents_;  // by slot
  Status last_failure_ = Status::Ok;
};

}  // namespace cede::bench
