// SPDX-License-Identifier: Apache-2.0
// The control ring of a port: what received frames may leave undone, and the state of the link.
// At most one request of each kind is in flight, and there is always one that awaits the link.
#pragma once

#include <cstddef>
#include <cstdint>

#include "protocols/bell_guard.h"
#include "protocols/net.h"
#include "protocols/ring.h"

namespace cede::frontend {

class PortControl {
 public:
  PortControl(std::byte* ring, RingShape shape, const net::Info& info, BellGuard& guard)
      : ring_(ring, shape, guard), link_{info.link_up != 0, info.mtu} {
    await_link();
  }

  void want(std::uint32_t offloads) noexcept {
    offloads &= net::Offload::kAll;
    if (offloads != wanted_) refused_ = false;
    wanted_ = offloads;
    ask_offloads();
  }
  [[nodiscard]] std::uint32_t wanted() const noexcept { return wanted_; }
  [[nodiscard]] bool settled() const noexcept { return set_ == wanted_ && !asked_; }
  [[nodiscard]] net::LinkState link() const noexcept { return link_; }

  // Takes the driver's answers.
  void turn() noexcept {
    net::Controlled answer;
    // Two at most are in flight: the driver cannot hold us here.
    for (int i = 0; i < 2 && !broken_; ++i) {
      const Verdict look = ring_.take(answer);
      if (look == Verdict::Empty) break;
      broken_ = look == Verdict::Broken || !judge(answer);
    }
  }

  [[nodiscard]] bool publish() noexcept { return ring_.publish(); }
  // False: an answer has come, or the ring is broken.
  [[nodiscard]] bool arm() noexcept {
    if (ring_.in_flight() == 0) return true;
    const Verdict look = ring_.arm();
    broken_ |= look == Verdict::Broken;
    return look == Verdict::Empty;
  }
  [[nodiscard]] bool broken() const noexcept { return broken_; }

 private:
  enum Id : std::uint32_t { kOffloads = 0, kLink = 1 };

  void ask_offloads() noexcept {
    if (asked_ || refused_ || set_ == wanted_) return;
    asked_ = true;
    asked_for_ = wanted_;
    ring_.put({.type = net::Control::Type::SetOffloads, .id = kOffloads, .value = wanted_});
  }
  void await_link() noexcept {
    awaiting_ = true;
    ring_.put({.type = net::Control::Type::AwaitLink, .id = kLink, .value = link_.value()});
  }

  // False: no honest driver says that.
  [[nodiscard]] bool judge(const net::Controlled& answer) noexcept {
    if (answer.status > net::Controlled::kRefused) return false;
    const bool ok = answer.status == net::Controlled::kOk;
    if (answer.id == kOffloads && asked_) {
      asked_ = false;
      refused_ = !ok && asked_for_ == wanted_;
      if (ok) set_ = asked_for_;
      ask_offloads();
      return true;
    }
    if (answer.id == kLink && awaiting_) {
      awaiting_ = false;
      if (!ok) return true;  // a driver that does not tell
      const auto link = net::LinkState::of(answer.value);
      if (link.value() != answer.value || link == link_ || link.mtu < net::kMinMtu ||
          link.mtu > net::kMaxMtu) {
        return false;
      }
      link_ = link;
      await_link();
      return true;
    }
    return false;
  }

  GuardedRing<FrontRing<net::Control, net::Controlled>> ring_;
  net::LinkState link_;
  std::uint32_t wanted_ = 0;
  std::uint32_t asked_for_ = 0;
  std::uint32_t set_ = 0;  // what the driver last agreed to
  bool asked_ = false;     // a SetOffloads is in flight
  bool awaiting_ = false;  // an AwaitLink is in flight
  bool refused_ = false;   // what is wanted now
  bool broken_ = false;
};

}  // namespace cede::frontend
