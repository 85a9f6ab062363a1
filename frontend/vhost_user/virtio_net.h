// SPDX-License-Identifier: Apache-2.0
// A virtio-net device (virtio 1.3, section 5.1) between a guest's queues and a port of a driver
// domain's switch.
//
// Checksums and segmentation pass through both ways: what the guest's driver leaves undone is the
// switch's to finish, and the switch is told what the guest takes unfinished. The configuration
// space and the control queue are the VMM's own.
//
// A guest that gives too few buffers keeps its frames waiting in the session's receive buffers, and
// then the switch drops what has no place: the guest pays for itself. Without a session the guest's
// frames are dropped, as by a cable that is out. One thread. Nothing blocks.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "frontend/net/loss_report.h"
#include "frontend/net/net_device.h"
#include "frontend/vhost_user/net_queue.h"
#include "frontend/vhost_user/virtio_device.h"

namespace cede::vhost_user {

class VirtioNet : public VirtioDevice {
 public:
  VirtioNet(std::uint16_t pairs, std::uint32_t slots);
  ~VirtioNet() override;

  [[nodiscard]] std::uint64_t features() const noexcept override;
  void accept(std::uint64_t features) noexcept override;
  [[nodiscard]] std::uint64_t protocol_features() const noexcept override;
  [[nodiscard]] Status set_mtu(std::uint64_t bytes) noexcept override;

  // Queue 2*i receives, queue 2*i + 1 transmits.
  [[nodiscard]] std::uint16_t queues() const noexcept override {
    return static_cast<std::uint16_t>(2 * pairs_.size());
  }
  [[nodiscard]] std::uint16_t queue_limit() const noexcept override {
    return static_cast<std::uint16_t>(pairs_.size());
  }
  [[nodiscard]] Vring& queue(std::uint16_t index) noexcept override { return net_queue(index); }
  [[nodiscard]] Status start_queue(std::uint16_t index, const QueueSetup& setup, std::uint32_t base,
                                   InflightQueue record, bool outlives) override;
  std::uint32_t stop_queue(std::uint16_t index) noexcept override;
  void rebind() noexcept override;
  void left() override { report_losses(); }

  [[nodiscard]] Geometry geometry() const noexcept override { return geometry_; }
  [[nodiscard]] Status connect(frontend::Session session) override;
  void disconnect() override;
  [[nodiscard]] bool broken() const noexcept override { return session_ && session_->broken(); }
  [[nodiscard]] int wait_fd() const noexcept override { return session_->wait_fd(); }
  void clear_wakeup() noexcept override { session_->clear_wakeup(); }
  [[nodiscard]] BellGuard& guard() noexcept override { return session_->guard(); }

  bool progress() override;
  [[nodiscard]] bool arm() override;

 private:
  struct Pair {
    NetReceiveQueue receive;
    NetTransmitQueue transmit;
  };
  // A queue pair of the session.
  struct Incoming {
    frontend::Frame frame;
    bool held = false;  // `frame` has not been delivered yet
  };

  [[nodiscard]] NetQueue& net_queue(std::uint16_t index) noexcept;
  [[nodiscard]] frontend::NetDevice* usable_session() noexcept;
  // Where frames of a session's queue pair go to; nullptr: nowhere.
  [[nodiscard]] NetReceiveQueue* receiver(std::uint16_t session_pair) noexcept;
  bool receive(std::uint16_t session_pair);
  void tell_offloads() noexcept;
  void report_losses();

  Geometry geometry_;
  std::deque<Pair> pairs_;
  std::optional<frontend::NetDevice> session_;
  std::vector<Incoming> incoming_;  // by queue pair of the session
  std::optional<net::Info> info_;   // of the first session
  NetFormat format_;
  std::uint32_t guest_offloads_ = 0;  // what the guest's driver takes undone
  std::uint64_t undeliverable_ = 0;   // frames that no buffer could hold
  frontend::LossReport losses_;
};

}  // namespace cede::vhost_user
