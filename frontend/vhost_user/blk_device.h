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
#include <string>
#include <vector>

#include "frontend/block/block_device.h"
#include "frontend/vhost_user/blk_queue.h"
#include "frontend/vhost_user/blk_request.h"
#include "frontend/vhost_user/guest_memory.h"

namespace cede::vhost_user {

class BlkDevice {
 public:
  BlkDevice(std::string name, const block::Info& info, std::uint16_t queues, bool read_only);

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] const BlkRules& rules() const noexcept { return rules_; }
  void set_write_through(bool on) noexcept { rules_.write_through = on; }
  [[nodiscard]] GuestMemory& memory() noexcept { return memory_; }
  [[nodiscard]] std::uint16_t queues() const noexcept {
    return static_cast<std::uint16_t>(queues_.size());
  }
  [[nodiscard]] BlkQueue& queue(std::uint16_t index) noexcept { return queues_[index]; }
  // The memory's regions changed.
  void rebind() noexcept;

  // A session of the volume. What was unanswered is submitted again. Should the volume have become
  // another one (smaller, or of other blocks), every request is answered with an error from now on.
  void connect(frontend::BlockDevice session);
  // The session is over: dropped, with whatever its driver still does for it.
  void disconnect();
  [[nodiscard]] frontend::BlockDevice* session() noexcept {
    return session_ ? &*session_ : nullptr;
  }

  // Stops a queue: what it has in flight is no longer answered, and stays in its record.
  // Returns where its available ring continues.
  std::uint16_t stop_queue(std::uint16_t index) noexcept;
  // Waiting longer for the queue's answers is of use.
  [[nodiscard]] bool draining(std::uint16_t index) const noexcept;

  // One pass: completions to the guest, requests to the driver. True: something moved.
  bool progress();
  // Before sleeping. True: do not sleep, there is something to do.
  [[nodiscard]] bool arm();

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

  std::string name_;
  BlkRules rules_;
  GuestMemory memory_;
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
