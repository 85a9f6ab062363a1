// SPDX-License-Identifier: Apache-2.0
#include "frontend/call_watch.h"

#include <spdlog/spdlog.h>

#include <utility>

namespace cede::frontend {

Status CallWatch::start(int fd, BellGuard& guard, EventLoop::Handler called) {
  stop();
  fd_ = fd;
  guard_ = &guard;
  called_ = std::move(called);
  const Status status = listen();
  if (status != Status::Ok) stop();
  return status;
}

void CallWatch::stop() noexcept {
  watch_.reset();
  deaf_until_.reset();
  guard_ = nullptr;
}

Status CallWatch::listen() {
  auto watch = loop_.watch(fd_, EventLoop::Trigger::Level, called_);
  if (watch) watch_ = std::move(*watch);
  return watch.status();
}

void CallWatch::tick(TimePoint now, const std::string& name) {
  if (guard_ == nullptr) return;
  if (deaf_until_ && now >= *deaf_until_) {
    deaf_until_.reset();
    (void)listen();
  }
  const std::chrono::nanoseconds since_boot = now.time_since_epoch();
  const std::chrono::nanoseconds deaf(
      guard_->judge(static_cast<std::uint64_t>(since_boot.count())));
  if (deaf == deaf.zero()) return;
  watch_.reset();
  deaf_until_ = now + deaf;
  spdlog::debug("{}: calls from the driver announce nothing; not listening for {} us", name,
                std::chrono::duration_cast<std::chrono::microseconds>(deaf).count());
}

}  // namespace cede::frontend
