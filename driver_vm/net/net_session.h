// SPDX-License-Identifier: Apache-2.0
// One client's rings as the switch serves them, and its control ring.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string_view>

#include "driver_vm/net/receive_queue.h"
#include "driver_vm/net/transmit_queue.h"
#include "driver_vm/session_host/device_service.h"
#include "driver_vm/session_host/hosted_session.h"
#include "protocols/bell_guard.h"
#include "protocols/net.h"

namespace cede::driver {

class NetService;

class NetSession final : public DeviceSession {
 public:
  // Port number `port` of `service`. All references outlive the session.
  NetSession(NetService& service, std::uint16_t port, HostedSession& host, net::LinkState link);
  ~NetSession() override;

  // Rings that carry a port: protocols/net.h.
  [[nodiscard]] static bool fits(const Geometry& geometry) noexcept {
    return geometry.slot_bytes == net::kSlotBytes && geometry.rings >= net::rings_for(1) &&
           geometry.rings % 2 == 1;
  }

  void start() override { serving_ = true; }
  void stop() override { serving_ = false; }
  [[nodiscard]] bool drained() const override { return !unpublished_; }

  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  [[nodiscard]] bool serving() const noexcept { return serving_; }
  [[nodiscard]] std::uint32_t offloads() const noexcept { return offloads_; }
  void reject(std::string_view reason) noexcept {
    serving_ = false;
    host_.reject(reason);
  }

  // Is there a frame (or a verdict to be found) on a transmit ring?
  [[nodiscard]] bool ready() noexcept;
  // The next transmit ring with something on it, in turn. Nothing: all are empty.
  [[nodiscard]] TransmitQueue* next_transmit() noexcept;
  // A transmit ring's answers, or a receive ring's frames, are to be shown.
  void touch() noexcept { unpublished_ = true; }
  [[nodiscard]] ReceiveQueue& receive_queue(std::uint32_t flow) noexcept {
    return receive_[flow % receive_.size()];
  }
  [[nodiscard]] bool single_pair() const noexcept { return receive_.size() == 1; }

  // Serves the control ring. True: there was something on it.
  bool control() noexcept;
  void set_link(net::LinkState link) noexcept;

  // Shows received frames, then the rest; the second calls the client, once for both. All sessions
  // do the first before any does the second: a frame is there when its sender hears that it was
  // taken. True: there was something to show.
  void publish_frames() noexcept;
  bool publish() noexcept;
  // False: there is work. Receive rings are not armed: new buffers are no reason to wake up.
  [[nodiscard]] bool arm() noexcept;

 private:
  void run(const net::Control& request) noexcept;
  void answer(std::uint32_t id, std::uint32_t status, std::uint64_t value = 0) noexcept;

  NetService& service_;
  std::uint16_t port_;
  HostedSession& host_;
  GuardedRing<BackRing<net::Control, net::Controlled>> control_;
  std::deque<TransmitQueue> transmit_;
  std::deque<ReceiveQueue> receive_;
  std::size_t next_ = 0;
  std::uint32_t offloads_ = 0;
  net::LinkState link_;
  struct AwaitedLink {
    std::uint32_t id;
    std::uint64_t known;
  };
  std::optional<AwaitedLink> awaited_;
  bool serving_ = false;
  bool unpublished_ = false;
  bool call_ = false;  // is due
};

}  // namespace cede::driver
