// SPDX-License-Identifier: Apache-2.0
// What every queue of every device has: it is stopped, running or broken, takes new chains or not,
// and has two descriptors through which it speaks to the driver.
#pragma once

#include <cstdint>
#include <string_view>

#include "protocols/posix/fd.h"

namespace cede::vhost_user {

class Vring {
 public:
  [[nodiscard]] bool running() const noexcept { return state_ == State::Running; }
  [[nodiscard]] bool stopped() const noexcept { return state_ == State::Stopped; }
  // The guest's driver broke the rules: nothing more is taken or answered until the next start.
  void break_down(std::string_view reason) noexcept;

  // Whether new chains are taken from the ring; those taken are carried out in any case.
  void enable(bool on) noexcept { enabled_ = on; }
  [[nodiscard]] bool enabled() const noexcept { return enabled_; }
  void set_call(Fd fd) noexcept;
  void set_error(Fd fd) noexcept { error_ = std::move(fd); }

 protected:
  void begin() noexcept;
  void end() noexcept { state_ = State::Stopped; }
  void interrupt() const noexcept { signal(call_); }

  bool armed_ = true;  // the driver kicks at the next available chain

 private:
  enum class State : std::uint8_t { Stopped, Running, Broken };

  static void signal(const Fd& fd) noexcept;

  State state_ = State::Stopped;
  bool enabled_ = false;
  Fd call_;
  Fd error_;
};

}  // namespace cede::vhost_user
