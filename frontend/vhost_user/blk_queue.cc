// SPDX-License-Identifier: Apache-2.0
#include "frontend/vhost_user/blk_queue.h"

#include <algorithm>
#include <utility>

namespace cede::vhost_user {

Status BlkQueue::start(const GuestMemory& memory, const SplitQueue::Setup& setup,
                       std::uint16_t next_available, InflightQueue record, bool outlives) {
  if (const Status status = ring_.start(memory, setup); status != Status::Ok) return status;
  const std::uint16_t used = ring_.used_index();
  auto marked = record.recover(setup.size, used);
  if (!marked) return Status::Invalid;
  // The front-end cannot know what a dead back-end had taken; the record does. A record that only
  // this process keeps may be of a guest that has been reset since: then it does not add up.
  const auto continues = static_cast<std::uint16_t>(used + marked->size());
  if (outlives) {
    next_available = continues;
  } else if (continues != next_available) {
    record.forget();
    marked = record.recover(setup.size, used);
    marked->clear();
  }
  ring_.set_next_available(next_available);
  record_ = record;
  requests_.clear();
  requests_.resize(setup.size);
  recovered_.assign(marked->begin(), marked->end());
  waiting_.clear();
  front_ = kNone;
  unanswered_ = 0;
  unpublished_ = false;
  begin();
  return Status::Ok;
}

std::uint16_t BlkQueue::stop() noexcept {
  end();
  requests_.clear();
  recovered_.clear();
  waiting_.clear();
  front_ = kNone;
  unanswered_ = 0;
  return ring_.next_available();
}

void BlkQueue::rebind(const GuestMemory& memory) noexcept {
  if (running() && ring_.rebind(memory) != Status::Ok) break_down("its rings left the memory");
}

Verdict BlkQueue::next_chain(const GuestMemory& memory) {
  if (!recovered_.empty()) {
    const std::uint16_t head = recovered_.front();
    recovered_.pop_front();
    return ring_.fetch(memory, head, scratch_);
  }
  if (!enabled()) return Verdict::Empty;
  const Verdict verdict = ring_.take(memory, scratch_);
  if (verdict == Verdict::Ready && !requests_[scratch_.head].active) record_.taken(scratch_.head);
  return verdict;
}

BlkRequest* BlkQueue::front(const GuestMemory& memory, const BlkRules& rules) {
  if (!running()) return nullptr;
  if (front_ == kNone && !waiting_.empty()) {
    front_ = waiting_.front();
    waiting_.pop_front();
  }
  if (front_ != kNone) return &requests_[front_].request;

  const Verdict verdict = next_chain(memory);
  if (verdict == Verdict::Empty) return nullptr;
  if (verdict == Verdict::Broken) {
    break_down("an invalid index or descriptor chain");
    return nullptr;
  }
  Slot& slot = requests_[scratch_.head];
  if (slot.active) {
    break_down("a descriptor chain is made available twice");
    return nullptr;
  }
  std::swap(slot.request.chain(), scratch_);
  if (!slot.request.prepare(memory, rules)) {
    break_down("a request without room for its header or its status");
    return nullptr;
  }
  slot.active = true;
  slot.order = order_++;
  ++unanswered_;
  front_ = slot.request.chain().head;
  return &slot.request;
}

void BlkQueue::finish(const GuestMemory& memory, std::uint16_t head) {
  if (!running()) return;
  Slot& slot = requests_[head];
  const std::uint32_t written = slot.request.answer(memory);
  slot.request.chain().clear();
  slot.active = false;
  --unanswered_;
  record_.giving_back(head);
  ring_.put(head, written);
  unpublished_ = true;
}

void BlkQueue::publish() noexcept {
  if (!unpublished_ || !running()) return;
  unpublished_ = false;
  const bool wanted = ring_.publish();
  record_.given_back(ring_.used_index());
  if (wanted) interrupt();
}

void BlkQueue::restart_all() {
  waiting_.clear();
  front_ = kNone;
  for (Slot& slot : requests_) {
    if (!slot.active) continue;
    slot.request.restart();
    waiting_.push_back(slot.request.chain().head);
  }
  std::sort(waiting_.begin(), waiting_.end(), [&](std::uint16_t a, std::uint16_t b) {
    return requests_[a].order < requests_[b].order;
  });
}

bool BlkQueue::arm() noexcept {
  if (!running() || !enabled()) return false;
  armed_ = true;
  return ring_.arm() != Verdict::Empty;
}

void BlkQueue::disarm() noexcept {
  if (!armed_ || !running()) return;
  armed_ = false;
  ring_.disarm();
}

}  // namespace cede::vhost_user
