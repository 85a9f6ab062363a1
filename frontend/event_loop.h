// SPDX-License-Identifier: Apache-2.0
// Waits for descriptors on one thread and calls whoever watches them.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>
#include <utility>

#include "protocols/posix/fd.h"
#include "protocols/status.h"

namespace cede::frontend {

class EventLoop {
 public:
  using Handler = std::function<void()>;

  enum class Trigger : std::uint8_t {
    Level,  // as long as the descriptor is readable
    Edge,   // each time it becomes so anew; for descriptors that nobody here may read
  };

  // Ends its watch when it goes. Has to go before its descriptor is closed (the peer holds the same
  // open file: the kernel would go on watching it) and before the loop.
  class Watch {
   public:
    Watch() = default;
    Watch(Watch&& other) noexcept
        : loop_(std::exchange(other.loop_, nullptr)), fd_(other.fd_), token_(other.token_) {}
    Watch& operator=(Watch&& other) noexcept {
      if (this != &other) {
        reset();
        loop_ = std::exchange(other.loop_, nullptr);
        fd_ = other.fd_;
        token_ = other.token_;
      }
      return *this;
    }
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;
    ~Watch() { reset(); }
    void reset() noexcept;

   private:
    friend class EventLoop;
    Watch(EventLoop* loop, int fd, std::uint64_t token) noexcept
        : loop_(loop), fd_(fd), token_(token) {}

    EventLoop* loop_ = nullptr;
    int fd_ = -1;
    std::uint64_t token_ = 0;
  };

  // Throws std::system_error.
  EventLoop();

  // Invalid: the kernel cannot wait for this kind of descriptor.
  [[nodiscard]] Result<Watch> watch(int fd, Trigger trigger, Handler handler);

  // Waits at most `timeout` (negative: for ever; rounded up to milliseconds) and calls the handlers
  // of what is ready. A handler may end any watch, its own included.
  void wait(std::chrono::nanoseconds timeout);

 private:
  Fd epoll_;
  std::uint64_t last_token_ = 0;
  std::unordered_map<std::uint64_t, std::shared_ptr<Handler>> handlers_;
};

}  // namespace cede::frontend
