// SPDX-License-Identifier: Apache-2.0
// A virtio-blk device between a guest's queues and a volume of a driver domain.
//
// A guest's write is copied once, into the session's payload; a read once, out of it. What finds no
// room in the session's ring or payload waits in the virtqueue. The device outlives its sessions:
// while there is none, requests stay unanswered, and the next session gets them again in order.
//
// One thread. Nothing blocks.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "frontend/block/block_device.h"
#include "frontend/vhost_user/blk_queue.h"
#include "frontend/vhost_user/blk_request.h"
#include "frontend/vhost_user/virtio_device.h"

namespace cede::vhost_user {

class BlkDevice : public VirtioDevice {
 public:
  // `geometry` is that of its sessions, `read_only` for volumes that the guest must not write.
  BlkDevice(const Geometry& geometry, bool read_only);

  [[nodiscard]] std::uint64_t features() const noexcept override;
  void accept(std::uint64_t features) noexcept override;
  [[nodiscard]] std::uint64_t protocol_features() const noexcept override;
  [[nodiscard]] ConfigSpace config() const noexcept override;
  [[nodiscard]] std::uint16_t queues() const noexcept override {
    return static_cast<std::uint16_t>(queues_.size());
  }
  [[nodiscard]] Vring& queue(std::uint16_t index) noexcept override { return queues_[index]; }
  [[nodiscard]] Status start_queue(std::uint16_t index, const QueueSetup& setup, std::uint32_t base,
                                   InflightQueue record, bool outlives) override;
  // What the queue has in flight stays in its record.
  std::uint32_t stop_queue(std::uint16_t index) noexcept override;
  [[nodiscard]] bool draining(std::uint16_t index) const noexcept override;
  void rebind() noexcept override;

  [[nodiscard]] Geometry geometry() const noexcept override { return geometry_; }
  // A session of the volume. What was unanswered is submitted again. Should the volume have become
  // another one (smaller, or of other blocks), every request is answered with an error from now on.
  [[nodiscard]] Status connect(frontend::Session session) override;
  // The session is over: dropped, with whatever its driver still does for it.
  void disconnect() override;
  [[nodiscard]] bool broken() const noexcept override { return session_ && session_->broken(); }
  [[nodiscard]] int wait_fd() const noexcept override { return session_->wait_fd(); }
  void clear_wakeup() noexcept override { session_->clear_wakeup(); }
  [[nodiscard]] BellGuard& guard() noexcept override { return session_->guard(); }

  // One pass: completions to the guest, requests to the driver.
  bool progress() override;
  [[nodiscard]] bool arm() override;

 private:
  // An operation at the driver, by its cookie.
  struct InFlight {
    std::uint16_t queue = 0;
    std::uint16_t head = 0;
    bool used = false;
    bool orphan = false;  // its queue was stopped meanwhile: nobody waits for it
    std::uint64_t offset = 0;
    frontend::Extent extent;
  };

  [[nodiscard]] bool may_submit() const noexcept;
  void reap();
  void complete(const frontend::Completion& completion);
  void submit();
  [[nodiscard]] bool submit_steps(std::uint16_t queue, BlkRequest& request);
  [[nodiscard]] bool submit_step(std::uint16_t queue, BlkRequest& request);

  Geometry geometry_;
  BlkRules rules_;
  bool known_ = false;  // the volume: there has been a session
  std::deque<BlkQueue> queues_;
  std::optional<frontend::BlockDevice> session_;
  std::vector<InFlight> in_flight_;
  std::vector<std::uint32_t> free_;  // indices into in_flight_
  std::uint32_t orphans_ = 0;
  std::uint16_t turn_ = 0;  // the queue that submits first
  bool starved_ = false;    // the session has no room for the next step
  bool lost_volume_ = false;
  bool moved_ = false;  // in this pass
};

}  // namespace cede::vhost_user
