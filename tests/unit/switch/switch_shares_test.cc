// SPDX-License-Identifier: Apache-2.0
// Who gets how much of the switch. It is stopped until everybody has more to send than a turn
// takes; the order in which frames come out at a port without competition then tells the shares.
#include <csignal>
#include <vector>

#include "tests/unit/switch/uplink_fixture.h"

namespace cede::test {
namespace {

constexpr Address kSink = 3;
constexpr Geometry kLong{
    .pages = 2048, .rings = net::rings_for(1), .slot_bytes = net::kSlotBytes, .slots = 1024};

class SwitchShares : public SwitchUplink {
 protected:
  // Ports 1 and 2 send, port 3 takes.
  void start_sharing(const std::string& first, const std::string& second) {
    start_with_tap({port(1, first), port(2, second), port(kSink)});
    for (const std::uint32_t device : {0U, 1U, 2U}) {
      ports_.push_back(program_->connect(device, kLong));
    }
    ports_[2]->post(1000);
    space_->run([&] { wire_ = checked(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0)); });
    bind_packet_socket(wire_, "tap0");
  }
  void stop() const {
    ASSERT_EQ(::kill(program_->pid(), SIGSTOP), 0);
    while (program_->status_field("State").front() != 'T') ::usleep(1000);
  }
  void go_on() const { ASSERT_EQ(::kill(program_->pid(), SIGCONT), 0); }
  void send_from_port(Address from, int frames) {
    NetClient& client = *ports_[from - 1U].client;
    for (int i = 0; i < frames; ++i) client.put(small_frame(kSink, from));
    client.publish(client.transmit());
  }
  void send_from_outside(int frames) const {
    const Bytes frame = small_frame(kSink, kHost);
    for (int i = 0; i < frames; ++i) {
      ASSERT_EQ(::send(wire_.get(), frame.data(), frame.size(), 0),
                static_cast<ssize_t>(frame.size()));
    }
  }
  // Of the next `count` frames at the sink, those that `from` has sent.
  int arrivals(int count, Address from) {
    int found = 0;
    for (int i = 0; i < count; ++i) {
      if (ports_[2]->receive().bytes.at(11) == from) ++found;
    }
    return found;
  }

  std::vector<SwitchProcess::Connected> ports_;
  Fd wire_;
};

TEST_F(SwitchShares, AFloodFromTheUplinkLeavesAClientItsOwn) {
  start_sharing("", "");
  stop();
  send_from_outside(400);
  send_from_port(1, 300);
  go_on();
  // A frame of the uplink's costs four of a client's, for it is a system call; and of what there
  // is, the client has a quarter (it is one of three), the uplink the rest. All that a weight of
  // 100 would leave it is ten.
  EXPECT_GT(arrivals(400, 1), 100);
}

TEST_F(SwitchShares, FollowTheWeightsOfTheClients) {
  start_sharing(",weight=1", ",weight=4");
  stop();
  send_from_port(1, 450);
  send_from_port(2, 450);
  go_on();
  // In batches of 32.
  EXPECT_NEAR(arrivals(500, 1), 100, 64);
}

TEST_F(SwitchShares, OfTheUplinkAreThoseOfTheClientsThatAreThere) {
  start_sharing("", ",weight=100");
  program_->close(ports_[1].session);
  stop();
  send_from_outside(400);
  send_from_port(1, 300);
  go_on();
  EXPECT_GT(arrivals(400, 1), 100);
}

TEST_F(SwitchShares, TheUplinksRowCountsWhatComesAndGoes) {
  start_sharing("", "");
  const NetStats& row = program_->stats(kUplinkRow).net;
  EXPECT_EQ(row.up, 1U);
  send_from_outside(5);
  EXPECT_EQ(arrivals(5, kHost), 5);
  EXPECT_EQ(row.sent_frames, 5U);
  EXPECT_EQ(row.sent_bytes, 5 * small_frame(kSink, kHost).size());
  const std::uint64_t frames = row.received_frames;
  const std::uint64_t bytes = row.received_bytes;
  ports_[0]->send(small_frame(kHost, 1));
  EXPECT_EQ(row.received_frames, frames + 1);
  EXPECT_EQ(row.received_bytes, bytes + small_frame(kHost, 1).size());
  space_->must("ip link del tap0");
  for (int i = 0; i < 2000 && row.up != 0; ++i) ::usleep(1000);
  EXPECT_EQ(row.up, 0U);
}

}  // namespace
}  // namespace cede::test
