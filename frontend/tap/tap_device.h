// SPDX-License-Identifier: Apache-2.0
// A TAP as the user of a port: what a host's or a container's network stack sends goes to the
// driver's switch, and back. Queue i of the TAP is queue pair i of the port.
//
// No copy is ours: the kernel reads and writes the session's payload. Segments and checksums stay
// as they are on both ways. A frame that the TAP does not take is dropped: a network may do that,
// and a queue for it would have to end somewhere too.
//
// The carrier of the interface is the port's link; without a session it is down, and what the
// kernel sends nevertheless is thrown away.
//
// A TAP that is deleted costs nothing but itself: what comes for it is dropped, and every second a
// read shows whether its descriptors work again, for the supervisor makes it anew behind them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "frontend/call_watch.h"
#include "frontend/client_device.h"
#include "frontend/event_loop.h"
#include "frontend/net/loss_report.h"
#include "frontend/net/net_device.h"
#include "frontend/tap/tap_queue.h"

namespace cede::frontend {

class TapDevice final : public ClientDevice {
 public:
  // `queues`: one for each queue pair, 1 to net::kMaxPairs. `slots` of each ring. Throws
  // std::runtime_error for a descriptor that is no TAP's.
  TapDevice(EventLoop& loop, std::vector<Fd> queues, std::uint32_t slots);
  ~TapDevice() override;

  [[nodiscard]] Geometry geometry() const noexcept override { return geometry_; }
  [[nodiscard]] Status connected(std::string_view name, Session session) override;
  void ending() override;
  [[nodiscard]] bool broken() const noexcept override;
  bool progress() override;
  [[nodiscard]] bool arm() override;
  void tick(TimePoint now) override;
  [[nodiscard]] std::optional<TimePoint> deadline() const noexcept override {
    return earliest({retry_at_, link_due_, called_.deadline()});
  }
  [[nodiscard]] State state() const noexcept override { return State::Serving; }

  // Frames that neither the TAP nor the session took.
  [[nodiscard]] std::uint64_t dropped() const noexcept { return dropped_; }

 private:
  bool to_session(std::uint16_t pair);
  bool to_tap(std::uint16_t pair);
  bool discard();
  void judge(TapQueue::Outcome outcome);
  void lose();
  void probe(TimePoint now);
  void follow_link(TimePoint now);
  void report_losses();

  EventLoop& loop_;
  Geometry geometry_;
  std::vector<TapQueue> queues_;
  std::vector<EventLoop::Watch> readable_;  // of the queues
  std::string name_;
  std::optional<NetDevice> session_;
  CallWatch called_;                   // of the session
  net::LinkState link_;                // what the interface was told
  std::optional<TimePoint> link_due_;  // when it is told what it was not yet
  TimePoint link_second_;              // the second that link_changes_ are counted in
  int link_changes_ = 0;
  Frame frame_;
  std::uint64_t dropped_ = 0;
  std::uint64_t lost_ = 0;  // frames without a session
  LossReport losses_;
  bool starved_ = false;               // the session had no room for a frame
  std::optional<TimePoint> retry_at_;  // the TAP is gone: when to look again
};

}  // namespace cede::frontend
