// SPDX-License-Identifier: Apache-2.0
// The supervisor's one event loop: descriptors, timers and signals. Hides Boost.Asio, so that one
// file alone pays for it.
#pragma once

#include <chrono>
#include <functional>
#include <initializer_list>
#include <memory>

namespace cede::supervisor {

class EventLoop {
  struct Watch;

 public:
  using Callback = std::function<void()>;

  // Keeps one callback registered; dropping it, also from inside the callback, ends that.
  class Registration {
   public:
    Registration() = default;
    Registration(Registration&&) noexcept = default;
    Registration& operator=(Registration&& other) noexcept;
    Registration(const Registration&) = delete;
    Registration& operator=(const Registration&) = delete;
    ~Registration() { reset(); }
    void reset() noexcept;
    [[nodiscard]] explicit operator bool() const noexcept { return watch_ != nullptr; }

   private:
    friend class EventLoop;
    explicit Registration(std::shared_ptr<Watch> watch) : watch_(std::move(watch)) {}
    std::shared_ptr<Watch> watch_;
  };

  EventLoop();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // Called as long as `fd` is ready. The fd is borrowed: drop the registration before closing it.
  [[nodiscard]] Registration when_readable(int fd, Callback callback);
  [[nodiscard]] Registration when_writable(int fd, Callback callback);
  // Called once.
  [[nodiscard]] Registration after(std::chrono::milliseconds delay, Callback callback);
  // From now on they are not blocked: one that came before is heard.
  [[nodiscard]] Registration on_signals(std::initializer_list<int> signals, Callback callback);

  // Runs callbacks until `done` is true, which is looked at after each of them. Not for use from
  // inside a callback.
  void run_until(const std::function<bool()>& done);
  // The same, looking every few milliseconds as well, but not for longer than `limit`. Returns
  // whether `done` is true.
  bool poll_until(const std::function<bool()>& done, std::chrono::milliseconds limit);

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

}  // namespace cede::supervisor
