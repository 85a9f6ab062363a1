// SPDX-License-Identifier: Apache-2.0
// The sessions of a driver VM, one for each port: who may say what just then, and what follows.
//
//                Offer            plugged           Mapped
//   Free -------------> Plugging ---------> Offered --------> Mapped
//     ^                    | closed meanwhile  | Refuse, Release  | Release
//     |                    v                   v                  |
//     +-- unplugged -- Unplugging <-------------------------------+
//
// Plugging    QEMU was given the region; the guest knows of nothing
// Offered     the device is there and the guest was told of it; it has to answer
// Mapped      the guest has said so. That it is Connected is between the broker and the guest
// Unplugging  the guest has let go; when QEMU has, too, the broker gets the driver's word
//
// A guest that does not answer or let go keeps its port: nobody speaks for it.
//
// The broker is trusted. The guest is not: what it says is judged by the state of the session that
// it names, and passed on field by field. What makes no sense is counted and dropped, and from some
// count on the guest is given up. QEMU's outcomes are taken at their word, for it is the driver's
// own: a region that is still held has to be found by the broker's proof.
//
// After an Unplugged QEMU unmaps the region within a moment of its own (hot_plug.h). The memory
// cgroup's proof sees that; without one the driver's word is as good as QEMU's, and a moment early.
//
// A plug or unplug that overran its deadline changes nothing here: QEMU may have the memory still,
// and the broker's deadlines end the whole domain.
//
// No I/O but the log. One thread at a time.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>
#include <vector>

#include "protocols/control.h"
#include "protocols/driver_vm.h"
#include "protocols/posix/control_link.h"
#include "protocols/posix/fd.h"
#include "protocols/status.h"

namespace cede::qemu {

// Carries out what the table has decided. None may call the table.
class SessionActions {
 public:
  virtual ~SessionActions() = default;

  // Begins; SessionTable::plugged() follows. After a failure nothing was begun. QEMU has its own
  // descriptor of the region when this returns.
  [[nodiscard]] virtual Status plug(unsigned port, const Fd& region) = 0;
  // Begins; SessionTable::unplugged() follows.
  virtual void unplug(unsigned port) = 0;
  [[nodiscard]] virtual Status open_bells(unsigned port, Fd kick, Fd call) = 0;
  virtual void close_bells(unsigned port) = 0;
  virtual void hold_kicks(unsigned port, std::chrono::microseconds time) = 0;
  virtual void guest_is_ready() = 0;
  virtual void tell_guest(unsigned port, const Message& message) = 0;
  virtual void tell_broker(const Message& message) = 0;
};

class SessionTable {
 public:
  static constexpr std::chrono::microseconds kLongestHold{100'000};
  // An honest guest may say something too late, crossed by other news, and a client can see to it
  // that it does: so each session forgives more than it can bring about.
  static constexpr unsigned kToleratedNonsense = 64;
  static constexpr unsigned kForgivenPerSession = 4;

  // `actions` outlives the table.
  SessionTable(unsigned ports, SessionActions& actions);

  void from_broker(ControlLink::Incoming incoming);
  // Broken: the guest has talked nonsense too often.
  [[nodiscard]] Status from_guest(const VmPacket& packet);

  // As PlugOutcome says; `port` has been plugged or unplugged.
  void plugged(unsigned port, Status status, std::string_view problem);
  void unplugged(unsigned port, Status status, std::string_view problem);

 private:
  struct Session {
    enum class State { Free, Plugging, Offered, Mapped, Unplugging };
    State state = State::Free;
    Message offer{};
    Fd kick{};  // until the bells are open
    Fd call{};
    bool closing = false;     // the broker said so: it listens to Release alone
    bool closed = false;      // the broker said so: it listens to nothing more
    bool close_said = false;  // by the guest
    Status refusal = Status::Ok;

    [[nodiscard]] bool known_to_guest() const noexcept {
      return state == State::Offered || state == State::Mapped;
    }
  };

  void offered(ControlLink::Incoming incoming);
  [[nodiscard]] Status admit(ControlLink::Incoming& incoming);
  void closing(const Message& message);
  void closed(const Message& message);
  [[nodiscard]] bool makes_sense(const VmPacket& packet);
  [[nodiscard]] bool heard(const Message& message);
  [[nodiscard]] bool hold_kicks(const VmPacket& packet);
  void let_go(Session& session);
  void end(Session& session);
  void say(MessageType type, Handle session, Status status = Status::Ok,
           const DeviceInfo& info = {});
  [[nodiscard]] Session* find(Handle handle) noexcept;
  [[nodiscard]] unsigned port_of(const Session& session) const noexcept {
    return static_cast<unsigned>(&session - sessions_.data());
  }

  SessionActions& actions_;
  std::vector<Session> sessions_;  // by port
  bool greeted_ = false;
  unsigned nonsense_ = 0;
};

}  // namespace cede::qemu
