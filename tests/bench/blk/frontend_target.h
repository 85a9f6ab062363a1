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

  // Before anything else here: connect(), or converse() until connected(). Throws
  // std::runtime_error.
  explicit FrontendTarget(Fd capability, const Geometry& geometry = kGeometry);
  FrontendTarget(const FrontendTarget&) = delete;
  FrontendTarget& operator=(const FrontendTarget&) = delete;
  // Closes the session in order.
  ~FrontendTarget() override;

  // Waits for a session on the first device that is granted. Throws std::runtime_error.
  void connect();

  // The same for those who wait for several: one round of the control conversation, when
  // control_fd() is readable and now and then. Throws std::runtime_error where it has ended.
  void converse();
  [[nodiscard]] int control_fd() const noexcept { return client_.fd(); }
  [[nodiscard]] bool connected() const noexcept { return device_.has_value(); }
  [[nodiscard]] frontend::BlockDevice& device() { return *device_; }

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

  frontend::SessionClient client_;
  std::optional<frontend::BlockDevice> device_;
  std::vector<frontend::Extent> extents_;  // by slot
  Status last_failure_ = Status::Ok;
};

}  // namespace cede::bench
