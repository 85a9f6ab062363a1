// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/net_master.h"

#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <stdexcept>

#include "tests/attack/network.h"
#include "tests/attack/rings/shared_field.h"

namespace cede::attack {
namespace {

using namespace std::chrono_literals;

constexpr auto kAWhile = 20ms;
constexpr int kFirstFrames = 1000;  // that may be lost before the port is up
constexpr net::MacAddress kNobody{{2, 0, 0, 0, 0, 1}};
constexpr net::MacAddress kOwn{{2, 0, 0, 0, 0, 2}};

}  // namespace

NetMaster::NetMaster(const std::string& socket, Stage& stage)
    : stage_(stage),
      frame_(plain_frame(kNobody, kOwn)),
      port_({.socket_path = socket,
             .size = kMost,
             .more_features = vhost_user::bit(VIRTIO_NET_F_CSUM)}) {
  port_.start();
  for (int sent = 0; !port_.receive_within(10ms); ++sent) {
    if (sent == kFirstFrames) throw std::runtime_error("no frame comes back");
    send();
  }
}

void NetMaster::behave_until_begun() {
  while (!stage_.begun()) send_on();
}

void NetMaster::send_on(std::uint32_t depth) {
  if (in_flight_ >= depth) {
    // What does not come back is lost.
    in_flight_ = port_.receive_within(10ms) ? in_flight_ - 1 : 0;
  }
  send();
  ++in_flight_;
}

void NetMaster::send(const net::Header& header) {
  (void)port_.send(std::as_bytes(std::span(frame_)), 0, header);
}

void NetMaster::send_chain(std::span<const test::GuestRing::Buffer> chain) {
  test::GuestRing& ring = port_.ring(kTransmit);
  while (ring.take()) {
  }
  if (ring.add(chain)) {
    (void)ring.publish();
    ring_bells();
    for (const auto end = std::chrono::steady_clock::now() + kAWhile;
         std::chrono::steady_clock::now() < end; ::usleep(100)) {
      if (ring.take()) return;
    }
  }
  begin_anew();
}

void NetMaster::receive_into(std::uint64_t guest_address, std::uint32_t length) {
  using vhost_user::Descriptor;
  std::byte* const table = port_.ring(kReceive).place();
  for (std::size_t i = 0; i < kMost; ++i) {
    std::byte* const descriptor = table + i * sizeof(Descriptor);
    set(descriptor + offsetof(Descriptor, address), guest_address);
    set(descriptor + offsetof(Descriptor, length), length);
  }
  for (std::uint32_t i = 0; i < kDepth; ++i) send();
  ::usleep(std::chrono::microseconds(kAWhile).count());
  begin_anew();
}

void NetMaster::begin_anew() {
  for (const std::uint16_t queue : {kReceive, kTransmit}) {
    port_.connection().send_value(vhost_user::Request::GetVringBase,
                                  vhost_user::VringState{queue, 0});
    (void)port_.connection().receive();
  }
  port_.start();
  in_flight_ = 0;
}

void NetMaster::ring_bells() const {
  const std::uint64_t one = 1;
  for (const std::uint16_t queue : {kReceive, kTransmit}) {
    (void)!::write(port_.kick_fd(queue), &one, sizeof one);
  }
}

}  // namespace cede::attack
