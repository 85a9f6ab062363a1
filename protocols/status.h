// SPDX-License-Identifier: Apache-2.0
// One vocabulary of outcomes for every part of Cede, and a result type that carries it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

namespace cede {

// The numbers travel in control messages: append, never renumber.
enum class Status : std::uint16_t {
  Ok = 0,
  Invalid = 1,        // malformed: a field is out of its range
  NotPermitted = 2,   // a handle that was not issued to the caller, or not for this use
  Stale = 3,          // the handle's generation has passed
  Overdrawn = 4,      // the account does not hold that many pages
  Full = 5,           // a table, queue or quota of the broker is at its limit
  Busy = 6,           // the device carries a session already
  Sealed = 7,         // the system is static: nothing is created or connected any more
  WrongState = 8,     // not in this state of the session
  Gone = 9,           // the peer died or let go
  Refused = 10,       // the driver does not accept the session
  TimedOut = 11,      // a deadline passed
  NoMemory = 12,      // the region's pages could not be had
  NotSupported = 13,  // understood, but not offered
  IoError = 14,       // a system call failed; the log says which
  Broken = 15,        // the peer broke the protocol
};

[[nodiscard]] constexpr std::string_view to_string(Status status) noexcept {
  switch (status) {
    case Status::Ok:
      return "ok";
    case Status::Invalid:
      return "invalid";
    case Status::NotPermitted:
      return "not permitted";
    case Status::Stale:
      return "stale handle";
    case Status::Overdrawn:
      return "account overdrawn";
    case Status::Full:
      return "table full";
    case Status::Busy:
      return "device busy";
    case Status::Sealed:
      return "system sealed";
    case Status::WrongState:
      return "wrong state";
    case Status::Gone:
      return "peer gone";
    case Status::Refused:
      return "refused by the driver";
    case Status::TimedOut:
      return "timed out";
    case Status::NoMemory:
      return "out of memory";
    case Status::NotSupported:
      return "not supported";
    case Status::IoError:
      return "system error";
    case Status::Broken:
      return "protocol broken by the peer";
  }
  return "unknown status";
}

// A value, or the reason why there is none. Expected failures only; programming errors are not
// values.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}  // NOLINT: implicit by design, as std::expected
  Result(Status failure) noexcept : status_(failure) {}  // NOLINT: implicit by design

  [[nodiscard]] explicit operator bool() const noexcept { return value_.has_value(); }
  [[nodiscard]] Status status() const noexcept { return status_; }
  [[nodiscard]] T& operator*() & noexcept { return *value_; }
  [[nodiscard]] const T& operator*() const& noexcept { return *value_; }
  [[nodiscard]] T&& operator*() && noexcept { return std::move(*value_); }
  [[nodiscard]] T* operator->() noexcept { return &*value_; }
  [[nodiscard]] const T* operator->() const noexcept { return &*value_; }

 private:
  std::optional<T> value_;
  Status status_ = Status::Ok;
};

}  // namespace cede
