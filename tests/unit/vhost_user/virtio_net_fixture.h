// SPDX-License-Identifier: Apache-2.0
// A virtio-net device between a guest's driver and a switch's, both played by the test step by
// step, for each layout of the rings.
#pragma once

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "frontend/vhost_user/virtio_net.h"
#include "protocols/ring.h"
#include "tests/support/client_session.h"
#include "tests/support/guest_ring.h"
#include "tests/unit/vhost_user/memory_file.h"

namespace cede::vhost_user {

using test::GuestRing;
using test::kGuest;
using test::kUser;
using Bytes = std::vector<std::byte>;

inline constexpr std::uint64_t kModern = bit(VIRTIO_F_VERSION_1) | bit(VIRTIO_NET_F_MRG_RXBUF);
inline constexpr std::uint32_t kHeader = sizeof(net::Header);

inline Bytes pattern(std::size_t length, unsigned seed = 1) {
  Bytes bytes(length);
  for (std::size_t i = 0; i < length; ++i) bytes[i] = static_cast<std::byte>(i * 31 + seed);
  return bytes;
}

// The driver domain's half of a session.
struct Switch {
  explicit Switch(const Geometry& geometry, std::uint32_t offloads = net::Offload::kAll)
      : parts(test::make_session_parts(geometry)),
        region(*Mapping::map(parts.driver.region.get(), geometry.bytes())),
        control(ring(net::kControlRing), geometry.ring_shape()) {
    for (std::uint16_t i = 0; i < geometry.rings; ++i) format_ring(ring(i));
    for (std::uint16_t i = 0; net::rings_for(i) < geometry.rings; ++i) {
      transmit.emplace_back(ring(net::transmit_ring(i)), geometry.ring_shape());
      receive.emplace_back(ring(net::receive_ring(i)), geometry.ring_shape());
    }
    info.mac = {{2, 0, 0, 0, 0, 1}};
    info.mtu = 1500;
    info.offloads = offloads;
    info.link_up = 1;
  }
  [[nodiscard]] std::byte* ring(std::uint16_t index) const {
    return region.data() + parts.geometry.ring_offset(index);
  }
  // The next frame from the client, answered.
  struct Sent {
    net::Header header;
    Bytes bytes;
  };
  std::optional<Sent> take(std::uint16_t pair = 0) {
    net::Transmit request;
    if (transmit[pair].take(request) != Verdict::Ready) return {};
    const std::byte* const place = region.data() + request.offset;
    transmit[pair].put({});
    (void)transmit[pair].publish();
    return Sent{request.header, Bytes(place, place + request.length)};
  }
  [[nodiscard]] bool deliver(const Bytes& frame, net::Header header = {}, std::uint16_t pair = 0) {
    std::vector<net::Received> parts_of_it;
    for (std::size_t at = 0; at < frame.size(); at += parts_of_it.back().length) {
      net::Buffer buffer;
      if (receive[pair].take(buffer) != Verdict::Ready) return false;
      const std::size_t part = std::min<std::size_t>(buffer.length, frame.size() - at);
      std::memcpy(region.data() + buffer.offset, frame.data() + at, part);
      parts_of_it.push_back({.length = static_cast<std::uint32_t>(part), .header = {}});
    }
    header.num_buffers = static_cast<std::uint16_t>(parts_of_it.size());
    parts_of_it.front().header = header;
    for (const net::Received& part : parts_of_it) receive[pair].put(part);
    (void)receive[pair].publish();
    return true;
  }
  // The last SetOffloads, agreed to.
  std::optional<std::uint64_t> offloads() {
    std::optional<std::uint64_t> last;
    net::Control request;
    while (control.take(request) == Verdict::Ready) {
      if (request.type != net::Control::Type::SetOffloads) continue;
      last = request.value;
      control.put({.id = request.id});
    }
    (void)control.publish();
    return last;
  }

  test::SessionParts parts;
  Mapping region;
  BackRing<net::Control, net::Controlled> control;
  std::deque<BackRing<net::Transmit, net::Transmitted>> transmit;
  std::deque<BackRing<net::Buffer, net::Received>> receive;
  net::Info info;
};

class VirtioNetTest : public testing::TestWithParam<bool> {
 protected:
  static constexpr std::uint16_t kPairs = 2;
  static constexpr std::uint16_t kSize = 64;
  static constexpr std::size_t kBytes = 2U << 20;
  static constexpr std::size_t kData = 1U << 20;  // buffers, behind the rings

  VirtioNetTest() {
    EXPECT_EQ(device_.memory().add({kGuest, kBytes, kUser, 0}, file_.fd()), Status::Ok);
    for (std::uint16_t i = 0; i < 2 * kPairs; ++i) {
      rings_.emplace_back(file_.at(ring_offset(i)), kGuest + ring_offset(i),
                          GuestRing::Shape{kSize, GetParam(), true});
    }
    reach_switch();
    device_.accept(kModern);
    start_queues();
  }
  static std::size_t ring_offset(std::uint16_t queue) { return queue * GuestRing::bytes(kSize); }

  void reach_switch(std::uint32_t offloads = net::Offload::kAll) {
    switch_.emplace(device_.geometry(), offloads);
    ASSERT_EQ(device_.connect(test::open_client(switch_->parts, switch_->info)), Status::Ok);
  }
  void start_queue(std::uint16_t queue, std::uint32_t base) {
    const QueueSetup setup = rings_[queue].setup(kUser + ring_offset(queue));
    ASSERT_EQ(device_.start_queue(queue, setup, base, {}, false), Status::Ok);
    device_.queue(queue).enable(queue < 2);  // as a guest that uses one pair
  }
  void start_queues() {
    const std::uint32_t base = GetParam() ? 0x80008000U : 0;
    for (std::uint16_t i = 0; i < 2 * kPairs; ++i) start_queue(i, base);
  }
  void pass() {
    while (device_.progress()) {
    }
  }

  // Sends header and frame in pieces that end after so many bytes each, the last one with the rest.
  void send(const net::Header& header, const Bytes& frame, const std::vector<std::uint32_t>& cuts,
            bool indirect = false, std::uint32_t header_bytes = kHeader) {
    Bytes all(header_bytes);
    std::memcpy(all.data(), &header, header_bytes);
    all.insert(all.end(), frame.begin(), frame.end());
    send_raw(all, cuts, indirect);
  }
  void send_raw(const Bytes& all, const std::vector<std::uint32_t>& cuts, bool indirect = false) {
    std::memcpy(file_.at(kData), all.data(), all.size());
    std::vector<GuestRing::Buffer> buffers;
    std::uint64_t at = 0;
    for (const std::uint32_t cut : cuts) {
      // A hole between the buffers, so that running past one shows.
      buffers.push_back({kGuest + kData + at, cut, false});
      at += cut;
    }
    buffers.push_back({kGuest + kData + at, static_cast<std::uint32_t>(all.size() - at), false});
    ASSERT_TRUE(rings_[1].add(buffers, indirect));
    (void)rings_[1].publish();
    pass();
  }
  // Buffers for one chain each, one behind the other.
  void post(const std::vector<std::uint32_t>& lengths, std::uint16_t queue = 0) {
    for (const std::uint32_t length : lengths) {
      const GuestRing::Buffer buffer{kGuest + kData + posted_, length, true};
      ASSERT_TRUE(rings_[queue].add(std::span(&buffer, 1)));
      posted_ += length;
    }
    (void)rings_[queue].publish();
    pass();
  }
  // The frame that the guest finds in its next used buffers, which were posted in this order.
  struct Got {
    net::Header header;
    Bytes bytes;
    std::vector<std::uint32_t> lengths;
  };
  std::optional<Got> receive(const std::vector<std::uint32_t>& posted, std::uint64_t from = 0,
                             std::uint16_t queue = 0) {
    Got got{};
    std::uint64_t at = kData + from;
    for (std::size_t i = 0; i < posted.size(); ++i) {
      const auto used = rings_[queue].take();
      if (!used) {
        EXPECT_EQ(i, 0U) << "a frame's buffers come together";
        return {};
      }
      got.lengths.push_back(used->length);
      got.bytes.insert(got.bytes.end(), file_.at(at), file_.at(at) + used->length);
      at += posted[i];
    }
    std::memcpy(&got.header, got.bytes.data(), kHeader);
    got.bytes.erase(got.bytes.begin(), got.bytes.begin() + kHeader);
    return got;
  }

  test::MemoryFile file_{kBytes};
  VirtioNet device_{kPairs, net::kMinSlots};
  std::deque<GuestRing> rings_;
  std::optional<Switch> switch_;
  std::uint64_t posted_ = 0;
};

}  // namespace cede::vhost_user
