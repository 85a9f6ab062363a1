// SPDX-License-Identifier: Apache-2.0
// What a hostile client of a vhost-user-net back end has: a virtual machine's memory, which it
// shares, and a network card's two queues in it. Whatever it sends comes back to it. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "protocols/net.h"
#include "tests/attack/stage.h"
#include "tests/support/vhost_user_net_client.h"
#include "tests/unit/switch/frames.h"

namespace cede::attack {

class NetMaster {
 public:
  static constexpr std::uint16_t kReceive = 0;  // its queues
  static constexpr std::uint16_t kTransmit = 1;
  static constexpr std::uint16_t kMost = 256;  // frames in flight, each way
  static constexpr std::uint32_t kDepth = 8;

  // A frame has come back when this returns. Throws std::runtime_error.
  NetMaster(const std::string& socket, Stage& stage);

  // Has frames go round as fast as they go until the arena gives the sign.
  void behave_until_begun();
  // One frame more on its way, of `depth` at most: where there are as many, one comes back first.
  void send_on(std::uint32_t depth = kDepth);
  // The same without a look at what comes back: kMost times, unless the back end takes them.
  void send(const net::Header& header = {});
  // One chain of its own making on the transmit queue, and a while for the back end to give it
  // back. Where it does not, the queues begin anew.
  void send_chain(std::span<const test::GuestRing::Buffer> chain);
  // Receive buffers that are all in one place, of one length, and frames for them; then the queues
  // begin anew.
  void receive_into(std::uint64_t guest_address, std::uint32_t length);
  // Whatever was wrong in the queues is gone, and all receive buffers are given.
  void begin_anew();
  void ring_bells() const;

  [[nodiscard]] Stage& stage() { return stage_; }
  [[nodiscard]] test::VhostUserNetClient& port() { return port_; }
  // Where the frames that are sent lie, as a guest's address.
  [[nodiscard]] std::uint64_t payload() const {
    return test::VhostUserNetClient::kGuestBase + port_.buffers_offset(kTransmit);
  }

 private:
  Stage& stage_;
  test::Bytes frame_;
  test::VhostUserNetClient port_;
  std::uint32_t in_flight_ = 0;
};

}  // namespace cede::attack
