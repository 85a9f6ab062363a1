// SPDX-License-Identifier: Apache-2.0
// One front-end's connection to a virtio-blk device: the vhost-user messages of its life.
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
#include "frontend/vhost_user/blk_device.h"
#include "frontend/vhost_user/inflight.h"
#include "frontend/vhost_user/message_reader.h"

namespace cede::vhost_user {

class BlkEndpoint {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  static constexpr auto kDrainTime = std::chrono::seconds(1);

  // `device` and `loop` have to outlive the endpoint. `socket` is connected.
  BlkEndpoint(BlkDevice& device, frontend::EventLoop& loop, Fd socket);
  // Stops the device's queues and lets go of the guest's memory.
  ~BlkEndpoint();
  BlkEndpoint(const BlkEndpoint&) = delete;
  BlkEndpoint& operator=(const BlkEndpoint&) = delete;

  // The front-end is gone, or was sent away: destroy the endpoint.
  [[nodiscard]] bool closed() const noexcept { return closed_; }

  // Answers a stop that waits, when its queue has drained or its time is over.
  void tick(TimePoint now);
  [[nodiscard]] std::optional<TimePoint> deadline() const noexcept;

 private:
  struct Vring {
    SplitQueue::Setup setup;
    std::uint16_t base = 0;
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

  [[nodiscard]] Status set_features(std::uint64_t features);
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

  BlkDevice& device_;
  frontend::EventLoop& loop_;
  Fd socket_;
  frontend::EventLoop::Watch readable_;
  MessageReader reader_;
  Message message_;
  bool closed_ = false;

  std::uint64_t features_ = 0;
  std::uint64_t protocol_features_ = 0;
  std::vector<Vring> vrings_;
  InflightRegion record_;         // of unanswered requests: our own, or the front-end's
  bool record_outlives_ = false;  // it is the front-end's
  std::optional<Stopping> stopping_;
  bool drain_in_vain_ = false;  // the last wait for the driver ended without an answer
};

}  // namespace cede::vhost_user
