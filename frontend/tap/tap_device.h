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
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "frontend/client_device.h"
#include "frontend/event_loop.h"
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
  [[nodiscard]] std::optional<TimePoint> deadline() const noexcept override;
  [[nodiscard]] State state() const noexcept override;

  // Frames that neither the TAP nor the session took.
  [[nodiscard]] std::uint64_t dropped() const noexcept { return dropped_; }

 private:
  bool to_session(std::uint16_t pair);
  bool to_tap(std::uint16_t pair);
  bool discard();
  void judge(TapQueue::Outcome outcome);
  void follow_link();

  EventLoop& loop_;
  Geometry geometry_;
  std::vector<TapQueue> queues_;
  std::vector<EventLoop::Watch> readable_;  // of the queues
  std::string name_;
  std::optional<NetDevice> session_;
  EventLoop::Watch called_;  // of the session
  net::LinkState link_;      // what the interface was told
  Frame frame_;
  std::uint64_t dropped_ = 0;
  bool starved_ = false;  // the session had no room for a frame
  bool gone_ = false;
};

}  // namespace cede::frontend
