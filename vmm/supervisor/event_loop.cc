// SPDX-License-Identifier: Apache-2.0
#include "vmm/supervisor/event_loop.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <utility>

namespace cede::supervisor {

namespace asio = boost::asio;
using boost::system::error_code;

struct EventLoop::Context {
  asio::io_context io{1};
  // Time passes in the loop even when nothing is watched.
  asio::executor_work_guard<asio::io_context::executor_type> work{io.get_executor()};
};

struct EventLoop::Watch : std::enable_shared_from_this<EventLoop::Watch> {
  explicit Watch(Callback function) : callback(std::move(function)) {}
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  virtual ~Watch() = default;
  virtual void wait() = 0;
  virtual void cancel() = 0;

  // Calls back, and waits again unless the callback dropped the registration.
  void fire(const error_code& error) {
    if (error || !active) return;
    callback();
    if (active && repeats) wait();
  }
  auto handler() {
    return [self = shared_from_this()](const error_code& error, auto...) { self->fire(error); };
  }

  Callback callback;
  bool active = true;
  bool repeats = true;
};

namespace {

constexpr std::chrono::milliseconds kPoll{10};

}  // namespace

EventLoop::EventLoop() : context_(std::make_unique<Context>()) {}
EventLoop::~EventLoop() = default;

EventLoop::Registration& EventLoop::Registration::operator=(Registration&& other) noexcept {
  if (this != &other) {
    reset();
    watch_ = std::move(other.watch_);
  }
  return *this;
}

void EventLoop::Registration::reset() noexcept {
  if (!watch_) return;
  const std::shared_ptr<Watch> watch = std::move(watch_);
  watch->active = false;
  watch->cancel();
}

EventLoop::Registration EventLoop::when_readable(int fd, Callback callback) {
  struct Readable final : Watch {
    Readable(asio::io_context& io, int fd, Callback function)
        : Watch(std::move(function)), descriptor(io, fd) {}
    void wait() override {
      descriptor.async_wait(asio::posix::stream_descriptor::wait_read, handler());
    }
    void cancel() override { (void)descriptor.release(); }  // cancels, and does not close
    asio::posix::stream_descriptor descriptor;
  };
  auto watch = std::make_shared<Readable>(context_->io, fd, std::move(callback));
  watch->wait();
  return Registration(std::move(watch));
}

EventLoop::Registration EventLoop::when_writable(int fd, Callback callback) {
  struct Writable final : Watch {
    Writable(asio::io_context& io, int fd, Callback function)
        : Watch(std::move(function)), descriptor(io, fd) {}
    void wait() override {
      descriptor.async_wait(asio::posix::stream_descriptor::wait_write, handler());
    }
    void cancel() override { (void)descriptor.release(); }
    asio::posix::stream_descriptor descriptor;
  };
  auto watch = std::make_shared<Writable>(context_->io, fd, std::move(callback));
  watch->wait();
  return Registration(std::move(watch));
}

EventLoop::Registration EventLoop::after(std::chrono::milliseconds delay, Callback callback) {
  struct Timer final : Watch {
    Timer(asio::io_context& io, std::chrono::milliseconds delay, Callback function)
        : Watch(std::move(function)), timer(io, delay) {
      repeats = false;
    }
    void wait() override { timer.async_wait(handler()); }
    void cancel() override { timer.cancel(); }
    asio::steady_timer timer;
  };
  auto watch = std::make_shared<Timer>(context_->io, delay, std::move(callback));
  watch->wait();
  return Registration(std::move(watch));
}

EventLoop::Registration EventLoop::on_signals(std::initializer_list<int> signals,
                                              Callback callback) {
  struct Signals final : Watch {
    Signals(asio::io_context& io, Callback function) : Watch(std::move(function)), set(io) {}
    void wait() override { set.async_wait(handler()); }
    void cancel() override { set.cancel(); }
    asio::signal_set set;
  };
  auto watch = std::make_shared<Signals>(context_->io, std::move(callback));
  sigset_t unblocked;
  sigemptyset(&unblocked);
  for (const int signal : signals) {
    watch->set.add(signal);
    sigaddset(&unblocked, signal);
  }
  watch->wait();
  ::pthread_sigmask(SIG_UNBLOCK, &unblocked, nullptr);
  return Registration(std::move(watch));
}

void EventLoop::run_until(const std::function<bool()>& done) {
  while (!done()) context_->io.run_one();
}

bool EventLoop::poll_until(const std::function<bool()>& done, std::chrono::milliseconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!done()) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    context_->io.run_one_for(kPoll);
  }
  return true;
}

}  // namespace cede::supervisor
