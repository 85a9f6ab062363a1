// SPDX-License-Identifier: Apache-2.0
#include "vmm/qemu/doorbell_bridge.h"

#include <sys/epoll.h>

#include <algorithm>
#include <utility>

namespace cede::qemu {

DoorbellBridge::DoorbellBridge(KickWaiter kick, CallRinger call, InterruptEnd& interrupt,
                               DoorbellEnd& doorbell, Fd set) noexcept
    : kick_(std::move(kick)),
      call_(std::move(call)),
      interrupt_(&interrupt),
      doorbell_(&doorbell),
      set_(std::move(set)) {}

Result<DoorbellBridge> DoorbellBridge::make(KickWaiter kick, CallRinger call,
                                            InterruptEnd& interrupt, DoorbellEnd& doorbell) {
  Fd set(::epoll_create1(EPOLL_CLOEXEC));
  if (!set) return Status::IoError;
  doorbell.clear();
  DoorbellBridge bridge(std::move(kick), std::move(call), interrupt, doorbell, std::move(set));
  for (const Direction direction : {kKick, kCall}) {
    epoll_event event{};
    event.data.u32 = direction;
    if (direction == kCall &&
        ::epoll_ctl(bridge.set_.get(), EPOLL_CTL_ADD, bridge.source(kCall), &event) != 0) {
      return Status::IoError;
    }
    if (!bridge.listen(direction)) return Status::IoError;
  }
  return bridge;
}

// A deaf kick is out of the set, for its client could cause errors there, which an epoll set
// reports whatever it was asked for. A deaf doorbell stays, with no event asked for: it has no
// errors, and putting it back could fail at QEMU's will, which may watch the eventfd too often for
// the kernel's taste.
bool DoorbellBridge::listen(Direction direction) noexcept {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u32 = direction;
  const int operation = direction == kKick ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
  Way& way = ways_[direction];
  way.listening = ::epoll_ctl(set_.get(), operation, source(direction), &event) == 0;
  if (way.listening) way.deaf_until = kNever;
  return way.listening;
}

void DoorbellBridge::set_deaf(Direction direction, Nanoseconds until) noexcept {
  Way& way = ways_[direction];
  way.deaf_until = way.listening ? until : std::max(until, way.deaf_until);
  if (!std::exchange(way.listening, false)) return;
  epoll_event event{};
  event.data.u32 = direction;
  const int operation = direction == kKick ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;
  (void)::epoll_ctl(set_.get(), operation, source(direction), &event);
}

DoorbellBridge::Nanoseconds DoorbellBridge::deadline() const noexcept {
  return std::min({ways_[kKick].deaf_until, ways_[kCall].deaf_until, retry_});
}

void DoorbellBridge::turn(Nanoseconds now) noexcept {
  for (const Direction direction : {kKick, kCall}) {
    Way& way = ways_[direction];
    if (!way.listening && now >= way.deaf_until && !listen(direction)) {
      way.deaf_until = now + kRetry;
    }
  }
  bool interrupt = now >= retry_;
  std::array<epoll_event, 2> events{};
  const int ready = ::epoll_wait(set_.get(), events.data(), static_cast<int>(events.size()), 0);
  for (int i = 0; i < ready; ++i) {
    const auto direction = static_cast<Direction>(events[static_cast<std::size_t>(i)].data.u32);
    ++ways_[direction].counts.heard;
    if (direction == kKick) {
      kick_.clear();
      interrupt = true;
    } else if (doorbell_->clear()) {
      call_.ring();
    }
    judge(direction, now);
  }
  if (interrupt) retry_ = interrupt_->ring() ? kNever : now + kRetry;
}

void DoorbellBridge::judge(Direction direction, Nanoseconds now) noexcept {
  Way& way = ways_[direction];
  constexpr Nanoseconds kMost = BellGuard::kMaxEarned * kFair;
  if (now - way.fair_until > kMost) way.fair_until = now - kMost;
  for (; now - way.fair_until >= kFair; way.fair_until += kFair) way.guard.earned();
  way.guard.rung();
  const Nanoseconds deaf = way.guard.judge(now);
  if (deaf == 0) return;
  ++way.counts.storms;
  set_deaf(direction, now + deaf);
}

}  // namespace cede::qemu
