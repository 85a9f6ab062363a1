// SPDX-License-Identifier: Apache-2.0
// One request queue of a virtio-blk device: its ring, its in-flight record, its requests.
//
// A request lives here from the moment it is taken from the ring until it is answered. The guest's
// ring and memory, and the in-flight record, are all it takes to execute it again.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "frontend/vhost_user/blk_request.h"
#include "frontend/vhost_user/inflight.h"
#include "frontend/vhost_user/split_queue.h"
#include "frontend/vhost_user/vring.h"

namespace cede::vhost_user {

class BlkQueue : public Vring {
 public:
  // Starts at entry `next_available` of the available ring, after the requests that `record` still
  // marks; a record that `outlives` us decides by itself where the ring continues.
  // Invalid: the ring or the record cannot be. A queue that runs is stopped first.
  [[nodiscard]] Status start(const GuestMemory& memory, const SplitQueue::Setup& setup,
                             std::uint16_t next_available, InflightQueue record, bool outlives);
  // Forgets every request; the record keeps them. Returns where the available ring continues.
  std::uint16_t stop() noexcept;
  // The memory's regions changed.
  void rebind(const GuestMemory& memory) noexcept;

  // The request whose steps are to be submitted next, prepared; nullptr: none. The same one until
  // submitted().
  [[nodiscard]] BlkRequest* front(const GuestMemory& memory, const BlkRules& rules);
  void submitted() noexcept { front_ = kNone; }
  [[nodiscard]] bool is_front(std::uint16_t head) const noexcept { return front_ == head; }
  // A request that was submitted has got another step.
  void resume(std::uint16_t head) { waiting_.push_back(head); }
  [[nodiscard]] BlkRequest& request(std::uint16_t head) noexcept { return requests_[head].request; }
  // Answers a request that is done(). Invisible until publish().
  void finish(const GuestMemory& memory, std::uint16_t head);
  void publish() noexcept;

  // Taken and not answered.
  [[nodiscard]] std::uint32_t unanswered() const noexcept { return unanswered_; }
  // All unanswered requests start over, in the order in which they were taken.
  void restart_all();

  // Before sleeping. True: there is a request to take.
  [[nodiscard]] bool arm() noexcept;
  void disarm() noexcept;

 private:
  struct Slot {
    BlkRequest request;
    std::uint64_t order = 0;
    bool active = false;
  };

  [[nodiscard]] Verdict next_chain(const GuestMemory& memory);

  static constexpr std::uint32_t kNone = UINT32_MAX;

  SplitQueue ring_;
  InflightQueue record_;
  std::vector<Slot> requests_;           // by head
  std::deque<std::uint16_t> recovered_;  // marked by an earlier life, not fetched yet
  std::deque<std::uint16_t> waiting_;    // active, with steps to submit
  std::uint32_t front_ = kNone;
  std::uint32_t unanswered_ = 0;
  std::uint64_t order_ = 0;
  Chain scratch_;
  bool unpublished_ = false;
};

}  // namespace cede::vhost_user
