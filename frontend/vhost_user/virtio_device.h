// SPDX-License-Identifier: Apache-2.0
// What a device is to the vhost-user endpoint in front of it, and to the port that brings it
// sessions. Between the two it is its own business: queues on one side, a session on the other.
//
// The device outlives both its front-ends and its sessions, and is told of them in any order. One
// thread; nothing blocks.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "frontend/session.h"
#include "frontend/vhost_user/guest_memory.h"
#include "frontend/vhost_user/inflight.h"
#include "frontend/vhost_user/protocol.h"
#include "frontend/vhost_user/virtio_ring.h"
#include "frontend/vhost_user/vring.h"
#include "protocols/bell_guard.h"
#include "protocols/status.h"

namespace cede::vhost_user {

class VirtioDevice {
 public:
  using ConfigSpace = std::array<std::byte, kMaxConfigBytes>;

  VirtioDevice() = default;
  VirtioDevice(const VirtioDevice&) = delete;
  VirtioDevice& operator=(const VirtioDevice&) = delete;
  virtual ~VirtioDevice() = default;

  // For the log: the name that the broker granted it by.
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  void set_name(std::string_view name) { name_ = name; }
  [[nodiscard]] GuestMemory& memory() noexcept { return memory_; }
  [[nodiscard]] const GuestMemory& memory() const noexcept { return memory_; }

  // ---- Towards the front-end, from the first session on ----

  // Of SET_FEATURES: virtio's bits, and vhost-user's own (kFeatureProtocolFeatures).
  [[nodiscard]] virtual std::uint64_t features() const noexcept = 0;
  // What the front-end took of them. Before any queue starts.
  virtual void accept(std::uint64_t features) noexcept = 0;
  // Beside those that every device has (see endpoint.cc).
  [[nodiscard]] virtual std::uint64_t protocol_features() const noexcept = 0;
  // Where protocol_feature::kConfig is one of them.
  [[nodiscard]] virtual ConfigSpace config() const noexcept { return {}; }
  // Where protocol_feature::kMtu is.
  [[nodiscard]] virtual Status set_mtu(std::uint64_t /*bytes*/) noexcept {
    return Status::NotSupported;
  }

  [[nodiscard]] virtual std::uint16_t queues() const noexcept = 0;
  // What the front-end may ask for: queues, or pairs of them.
  [[nodiscard]] virtual std::uint16_t queue_limit() const noexcept { return queues(); }
  [[nodiscard]] virtual Vring& queue(std::uint16_t index) noexcept = 0;
  // `base`: where the front-end says that the ring continues. `record`: requests that an earlier
  // life left; one that `outlives` us knows better than the front-end.
  // Invalid: the ring or the record cannot be.
  [[nodiscard]] virtual Status start_queue(std::uint16_t index, const QueueSetup& setup,
                                           std::uint32_t base, InflightQueue record,
                                           bool outlives) = 0;
  // Returns where the ring continues. What is in flight is no longer answered.
  virtual std::uint32_t stop_queue(std::uint16_t index) noexcept = 0;
  // Waiting longer for the queue's answers is of use.
  [[nodiscard]] virtual bool draining(std::uint16_t /*index*/) const noexcept { return false; }
  // The memory's regions changed.
  virtual void rebind() noexcept = 0;
  // The front-end is gone, and its queues are stopped.
  virtual void left() {}

  // ---- Towards the driver domain, and the work between both: see frontend/client_device.h ----

  [[nodiscard]] virtual Geometry geometry() const noexcept = 0;
  [[nodiscard]] virtual Status connect(frontend::Session session) = 0;
  virtual void disconnect() = 0;
  [[nodiscard]] virtual bool broken() const noexcept = 0;
  // While there is a session: becomes readable when the driver rings.
  [[nodiscard]] virtual int wait_fd() const noexcept = 0;
  virtual void clear_wakeup() noexcept = 0;
  [[nodiscard]] virtual BellGuard& guard() noexcept = 0;

  virtual bool progress() = 0;
  [[nodiscard]] virtual bool arm() = 0;

 private:
  std::string name_;
  GuestMemory memory_;
};

}  // namespace cede::vhost_user
