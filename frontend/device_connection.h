// SPDX-License-Identifier: Apache-2.0
// One device's way from a grant to a session, back, and to the next session: the pure half of
// SessionClient. Time, messages and the outcome of system calls come in; messages to send and
// things to do come out. No I/O, no clock, no allocation after construction.
//
//   NoGrant --Granted--> Waiting --Connect--> Connecting --Reply--> Requested --Offer--> Offered
//   Offered --mapped, Mapped--> Mapped --Connected--> Connected --Closing--> Ending
//   Ending --owner let go--> Releasing --Release--> Waiting, or NoGrant where the driver is gone
//
// A connect that fails, and a session that ends, lead back to Waiting with a back-off that doubles
// up to kLongestDelay; a session that lasted, or a new grant, makes it short again. The broker is
// trusted, and yet checked: a message that does not fit the state or names another session changes
// nothing.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "protocols/control.h"

namespace cede::frontend {

class DeviceConnection {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  using Duration = std::chrono::steady_clock::duration;

  static constexpr Duration kShortestDelay = std::chrono::milliseconds(10);
  static constexpr Duration kLongestDelay = std::chrono::seconds(2);
  // A session that lived as long as this did not fail at once.
  static constexpr Duration kSteady = std::chrono::seconds(1);
  // How long a released session's pages are waited for before a connect is tried regardless.
  static constexpr Duration kReturnWait = std::chrono::seconds(1);

  enum class State : std::uint8_t {
    NoGrant,     // waits for Granted
    Waiting,     // holds a grant; Connect is due at deadline()
    Connecting,  // waits for the Reply
    Requested,   // waits for the Offer (or, where that could not be mapped, for Closing)
    Offered,     // the region is mapped; Mapped has to be sent
    Mapped,      // waits for Connected
    Connected,   // the owner has the session
    Ending,      // the owner was told, and has yet to let go
    Releasing,   // nothing is held; Release has to be sent
  };

  // What the I/O half has to do after receive().
  enum class Task : std::uint8_t {
    None,
    MapOffer,    // map the region, then call mapped()
    HandOver,    // give the mapped session to the owner
    DropOffer,   // unmap what was never handed over; tell the owner of the failure()
    TellEnding,  // ask the owner to let go, who answers with released()
    TellFailed,  // tell the owner of the failure()
  };

  // An empty name takes the first device that is granted and keeps its name.
  DeviceConnection(std::string name, const Geometry& geometry)
      : name_(std::move(name)), geometry_(geometry) {}

  [[nodiscard]] State state() const noexcept { return state_; }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] const Geometry& geometry() const noexcept { return geometry_; }
  [[nodiscard]] Handle session() const noexcept { return session_; }
  // Why the last connect failed, or why the session ends.
  [[nodiscard]] Status failure() const noexcept { return failure_; }
  // Nothing is held of any session, and nothing under way leads to one.
  [[nodiscard]] bool idle() const noexcept {
    return state_ == State::NoGrant || (state_ == State::Waiting && stopped_);
  }

  // Would this connection take a grant of that name?
  [[nodiscard]] bool accepts(const Name& device) const noexcept {
    return name_.empty() || name_ == device.view();
  }
  void granted(Handle grant, const Name& device, TimePoint now);

  // Any other message, whether it is for this connection or not.
  [[nodiscard]] Task receive(const Message& message, TimePoint now) noexcept;

  // The outcome of MapOffer.
  void mapped(bool done) noexcept;
  // The owner dropped its Session after TellEnding.
  void released(TimePoint now) noexcept;
  // Ends the session that there is; the next one follows. `why` is for the driver: Ok, or what it
  // did wrong.
  void end(Status why) noexcept;
  // Ends the session that there is, and makes no other.
  void stop() noexcept;

  // The message that is due now, if one is. After it was sent: sent().
  [[nodiscard]] std::optional<Message> outgoing(TimePoint now) const noexcept;
  void sent(MessageType type, std::uint32_t tag, TimePoint now) noexcept;
  // When outgoing() has something though nothing else happens: in the past, if it has it now.
  [[nodiscard]] std::optional<TimePoint> deadline() const noexcept;

 private:
  enum class CloseRequest : std::uint8_t { No, Wanted, Sent };

  [[nodiscard]] Task receive_reply(const Message& reply, TimePoint now) noexcept;
  [[nodiscard]] Task receive_closing(Status reason) noexcept;
  [[nodiscard]] Task receive_closed(Status reason, TimePoint now) noexcept;
  [[nodiscard]] Task revoked(Handle grant) noexcept;
  [[nodiscard]] bool close_is_due() const noexcept;
  void wait(TimePoint now) noexcept;

  std::string name_;
  Geometry geometry_;
  State state_ = State::NoGrant;
  Status failure_ = Status::Ok;
  CloseRequest close_ = CloseRequest::No;
  Status close_reason_ = Status::Ok;
  bool stopped_ = false;
  bool closed_ = false;   // the broker needs no Release any more
  Handle grant_;          // what the next Connect names
  Handle session_grant_;  // what the session was connected by
  Handle session_;        // the current one, or the last
  std::uint32_t connect_tag_ = 0;
  TimePoint retry_at_{};
  TimePoint connected_at_{};
  Duration delay_ = kShortestDelay;
};

}  // namespace cede::frontend
