// SPDX-License-Identifier: Apache-2.0
#include "frontend/event_loop.h"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <system_error>

namespace cede::frontend {

EventLoop::EventLoop() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (!epoll_) throw std::system_error(errno, std::generic_category(), "epoll_create1");
}

Result<EventLoop::Watch> EventLoop::watch(int fd, Trigger trigger, Handler handler) {
  const std::uint64_t token = ++last_token_;
  epoll_event event{};
  event.events = EPOLLIN;
  if (trigger == Trigger::Edge) event.events |= EPOLLET;
  event.data.u64 = token;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) return Status::Invalid;
  handlers_.emplace(token, std::make_shared<Handler>(std::move(handler)));
  return Watch(this, fd, token);
}

void EventLoop::Watch::reset() noexcept {
  if (loop_ == nullptr) return;
  ::epoll_ctl(loop_->epoll_.get(), EPOLL_CTL_DEL, fd_, nullptr);
  loop_->handlers_.erase(token_);
  loop_ = nullptr;
}

void EventLoop::wait(std::chrono::nanoseconds timeout) {
  int milliseconds = -1;
  if (timeout.count() >= 0) {
    const auto rounded = std::chrono::ceil<std::chrono::milliseconds>(timeout).count();
    milliseconds = static_cast<int>(std::min<std::int64_t>(rounded, INT_MAX));
  }
  std::array<epoll_event, 32> events;
  const int count =
      ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), milliseconds);
  for (int i = 0; i < count; ++i) {
    // By value: the kernel's structure is packed, and the map would take a reference.
    const std::uint64_t token = events[static_cast<std::size_t>(i)].data.u64;
    const auto found = handlers_.find(token);
    if (found == handlers_.end()) continue;  // a handler before this one ended the watch
    const std::shared_ptr<Handler> handler = found->second;
    (*handler)();
  }
}

}  // namespace cede::frontend
