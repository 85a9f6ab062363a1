// SPDX-License-Identifier: Apache-2.0
// One front-end's connection to a virtio device: the vhost-user messages of its life.
//
// Source: vhost-user.rst; the order in which QEMU says them is traced in
// tests/unit/vhost_user/qemu_test.cc. Every message is answered in bounded time whatever the driver
// domain does: only GET_VRING_BASE waits at all, for what its queue has in flight, and no longer
// than kDrainTime. What is unanswered then stays in the in-flight record, for the next start.
//
// Hostile messages end the connection, never the process.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "frontend/event_loop.h"
#include "frontend/vhost_user/inflight.h"
#include "frontend/vhost_user/message_reader.h"
#include "frontend/vhost_user/virtio_device.h"

namespace cede::vhost_user {

class Endpoint {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  static constexpr auto kDrainTime = std::chrono::seconds(1);

  // `device` and `loop` have to outlive the endpoint. `socket` is connected.
  Endpoint(VirtioDevice& device, frontend::EventLoop& loop, Fd socket);
  // Stops the device's queues and lets go of the guest's memory.
  ~Endpoint();
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  // The front-end is gone, or was sent away: destroy the endpoint.
  [[nodiscard]] bool closed() const noexcept { return closed_; }

  // Answers a stop that waits, when its queue has drained or its time is over.
  void tick(TimePoint now);
  [[nodiscard]] std::optional<TimePoint> deadline() const noexcept;

 private:
  struct Ring {
    QueueSetup setup;
    std::uint32_t base = 0;
    bool enabled = false;
    Fd kick;
    frontend::EventLoop::Watch kicked;
  };
  struct Stopping {
    std::uint16_t queue = 0;
    TimePoint until;
  };

  void listen();
  void read_messages();
  // Ok; Broken: the connection is over; anything else: the message is refused.
  [[nodiscard]] Status handle(Message& message);

  [[nodiscard]] bool agreed(unsigned protocol_feature) const noexcept {
    return (protocol_features_ & bit(protocol_feature)) != 0;
  }
  [[nodiscard]] Status set_features(std::uint64_t features);
  [[nodiscard]] Status set_status(std::uint64_t status) noexcept;
  [[nodiscard]] Status set_memory_table(Message& message);
  [[nodiscard]] Status change_memory(Message& message);
  [[nodiscard]] Status set_vring(const Message& message);
  [[nodiscard]] Status set_vring_address(const VringAddress& address);
  [[nodiscard]] Status set_vring_fd(Message& message);
  [[nodiscard]] Status start(std::uint16_t index, Fd kick);
  [[nodiscard]] Status stop(const Message& message);
  [[nodiscard]] Status send_config(const Message& message);
  [[nodiscard]] Status make_inflight(const Message& message);
  [[nodiscard]] Status take_inflight(Message& message);

  void stop_vring(std::uint16_t index) noexcept;
  [[nodiscard]] Status reply_stopped(std::uint16_t index);
  [[nodiscard]] Status reply_bytes(Request request, std::span<const std::byte> payload,
                                   int fd = -1);
  template <class T>
  [[nodiscard]] Status reply(Request request, const T& payload);

  VirtioDevice& device_;
  frontend::EventLoop& loop_;
  Fd socket_;
  frontend::EventLoop::Watch readable_;
  MessageReader reader_;
  Message message_;

  std::uint64_t features_ = 0;
  std::uint64_t protocol_features_ = 0;
  std::vector<Ring> vrings_;
  InflightRegion record_;  // of unanswered requests: our own, or the front-end's
  std::optional<Stopping> stopping_;
  std::uint8_t status_ = 0;  // the guest's driver's, virtio 1.2, section 2.1
  bool closed_ = false;
  bool record_outlives_ = false;  // record_ is the front-end's
  bool drain_in_vain_ = false;    // the last wait for the driver ended without an answer
};

}  // namespace cede::vhost_user
