// SPDX-License-Identifier: Apache-2.0
// Clients that break the protocol: each loses its session, and nobody else notices.
#include <gtest/gtest.h>

#include <functional>
#include <random>
#include <thread>

#include "tests/unit/switch/frames.h"
#include "tests/unit/switch/switch_process.h"

namespace cede::test {
namespace {

class SwitchHostile : public testing::Test {
 protected:
  SwitchHostile() : program_({port(1), port(2), port(3)}) {
    honest_.push_back(program_.connect(1));
    honest_.push_back(program_.connect(2));
  }
  // The two others still talk.
  void honest_traffic() {
    ++round_;
    honest_[1]->post(1);
    ASSERT_EQ(honest_[0]->send(small_frame(3, 2, round_)), net::Verdict::Taken);
    while (honest_[1]->receive().bytes != small_frame(3, 2, round_)) honest_[1]->post(1);
  }
  void expect_only_the_attacker_falls(const std::function<void(NetClient&)>& attack,
                                      const std::string& reason) {
    auto attacker = program_.connect(0);
    attack(*attacker.client);
    const Message close = program_.expect(MessageType::Close, attacker.session);
    EXPECT_EQ(close.status, Status::Broken);
    program_.expect(MessageType::Release, attacker.session);
    program_.send(MessageType::Closed, attacker.session);
    EXPECT_NE(program_.log().find(reason), std::string::npos) << program_.log();
    EXPECT_EQ(program_.stats(0).rejected, 1U);
    honest_traffic();
    auto again = program_.connect(0);  // the port takes a new session
    honest_[1]->post(1);
    EXPECT_EQ(again->send(small_frame(3, 1)), net::Verdict::Taken);
    EXPECT_EQ(program_.hang_up(), 0) << program_.log();
  }
  static void run_away(NetClient& client, std::uint16_t ring, std::uint32_t producer) {
    SharedIndex(client.ring_at(ring) + RingShape::kFrontLine)
        .store(producer, std::memory_order_release);
    client.kick();
  }

  SwitchProcess program_;
  std::vector<SwitchProcess::Connected> honest_;
  std::uint32_t round_ = 0;
};

TEST_F(SwitchHostile, ATransmitProducerRunaway) {
  expect_only_the_attacker_falls(
      [](NetClient& client) { run_away(client, net::transmit_ring(0), 65); }, "transmit producer");
}

TEST_F(SwitchHostile, ATransmitProducerThatGoesBack) {
  expect_only_the_attacker_falls(
      [](NetClient& client) {
        ASSERT_EQ(client.send(small_frame(9, 1)), net::Verdict::Taken);
        run_away(client, net::transmit_ring(0), 0);
      },
      "transmit producer");
}

TEST_F(SwitchHostile, AControlProducerRunaway) {
  expect_only_the_attacker_falls(
      [](NetClient& client) { run_away(client, net::kControlRing, 0x8000'0000); },
      "control producer");
}

TEST_F(SwitchHostile, AReceiveProducerRunaway) {
  expect_only_the_attacker_falls(
      [&](NetClient& client) {
        run_away(client, net::receive_ring(0), 65);
        ASSERT_EQ(honest_[0]->send(small_frame(1, 2)), net::Verdict::Taken);
      },
      "receive buffer");
}

TEST_F(SwitchHostile, AReceiveBufferInTheRings) {
  expect_only_the_attacker_falls(
      [&](NetClient& client) {
        client.post_at(0, 2048);
        client.publish(client.receive_ring());
        ASSERT_EQ(honest_[0]->send(small_frame(1, 2)), net::Verdict::Taken);
      },
      "receive buffer");
}

// Xen's netback fell over frames to be sent in 18 tiny slots (XSA-432). Here such a frame is one
// extent, and it is to receive that buffers could be tiny.
TEST_F(SwitchHostile, TinyReceiveBuffers) {
  expect_only_the_attacker_falls(
      [&](NetClient& client) {
        client.post(18, 64);
        ASSERT_EQ(honest_[0]->send(small_frame(1, 2)), net::Verdict::Taken);
      },
      "receive buffer");
}

TEST_F(SwitchHostile, AFrameInTheRings) {
  expect_only_the_attacker_falls(
      [](NetClient& client) {
        (void)client.send_slot({.offset = 0, .length = 64, .header = {}, .reserved = {}});
      },
      "a frame outside the payload");
}

TEST_F(SwitchHostile, AFrameThatEndsBehindTheRegion) {
  expect_only_the_attacker_falls(
      [](NetClient& client) {
        const auto end = static_cast<std::uint32_t>(client.geometry().bytes());
        (void)client.send_slot({.offset = end - 63, .length = 64, .header = {}, .reserved = {}});
      },
      "a frame outside the payload");
}

TEST_F(SwitchHostile, AFrameThatWrapsAround) {
  expect_only_the_attacker_falls(
      [](NetClient& client) {
        (void)client.send_slot(
            {.offset = UINT32_MAX - 31, .length = 64, .header = {}, .reserved = {}});
      },
      "a frame outside the payload");
}

TEST_F(SwitchHostile, RuntsAndGiantsAreJudgedWithoutEndingTheSession) {
  auto attacker = program_.connect(0);
  NetClient& client = *attacker.client;
  std::uint64_t bad = 0;
  for (const std::uint32_t length :
       {0U, 1U, 13U, net::kMaxFrame + 1, 0x7FFF'FFFFU, 0x8000'0000U, UINT32_MAX}) {
    EXPECT_EQ(
        client.send_slot({.offset = client.room(), .length = length, .header = {}, .reserved = {}}),
        net::Verdict::Malformed)
        << length;
    EXPECT_EQ(program_.drops(0, Drop::Malformed), ++bad);
  }
  EXPECT_EQ(client.send(ethernet(2, 1, 0x88B5, noise(1501))), net::Verdict::Malformed);
  EXPECT_EQ(client.send(small_frame(9, 1)), net::Verdict::Taken);
  honest_traffic();
  EXPECT_EQ(program_.stats(0).rejected, 0U);
}

// XSA-423 and its like: headers cut off at every byte.
TEST_F(SwitchHostile, SegmentsCutOffAtEveryByte) {
  auto attacker = program_.connect(0);
  honest_[0]->post(40);
  for (const bool v6 : {false, true}) {
    const Partial segment = tcp({.v6 = v6}, noise(100), 48);
    for (std::size_t size = 14; size < segment.frame.size() - 100; ++size) {
      EXPECT_EQ(attacker->send(slice(segment.frame, 0, size), segment.header),
                net::Verdict::Malformed)
          << size;
    }
  }
  EXPECT_TRUE(honest_[0]->silent());
  honest_traffic();
}

// XSA-392: for all that a receiver without buffers is sent, nothing is kept for it.
TEST_F(SwitchHostile, AReceiverWithoutBuffersCostsItself) {
  auto attacker = program_.connect(0);
  attacker->post(1, 1024);
  const Bytes long_frame = ethernet(1, 2, 0x88B5, noise(1400));
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(honest_[0]->send(long_frame), net::Verdict::Taken);
  }
  EXPECT_EQ(program_.drops(0, Drop::NoBuffer), 1000U);
  EXPECT_TRUE(attacker->silent());
  attacker->post(1, 1024);  // the one that was missing
  ASSERT_EQ(honest_[0]->send(long_frame), net::Verdict::Taken);
  EXPECT_EQ(attacker->receive().parts.size(), 2U);
  EXPECT_EQ(program_.drops(1, Drop::NoBuffer), 0U);
}

TEST_F(SwitchHostile, AClientThatReadsNoAnswerStarvesItself) {
  auto attacker = program_.connect(0);
  for (int i = 0; i < 64; ++i) attacker->put(small_frame(9, 1), {}, 0, 0);
  attacker->publish(attacker->transmit());
  for (int i = 0; i < 50; ++i) honest_traffic();
  EXPECT_EQ(program_.stats(0).net.sent_frames, 64U);
  for (int i = 0; i < 64; ++i) EXPECT_EQ(attacker->verdict(), net::Verdict::Taken);
}

TEST_F(SwitchHostile, ASenderThatRewritesItsFrameWhileItIsServed) {
  auto attacker = program_.connect(0);
  honest_[0]->post(1);
  NetClient& client = *attacker.client;
  std::atomic<bool> stop = false;
  std::atomic<bool> begun = false;
  // Flips the source address and the length of the TCP header.
  std::thread flipper([&] {
    std::byte* const frame = client.memory() + client.room();
    for (std::uint8_t value = 0; !stop; ++value) {
      frame[11] = static_cast<std::byte>(value % 2 == 0 ? 1 : 9);
      frame[34 + 12] = static_cast<std::byte>(value);
      begun = true;
    }
  });
  while (!begun) std::this_thread::yield();
  const Partial segment = tcp({}, noise(3000), 1000);
  for (int i = 0; i < 2000; ++i) {
    if (honest_[0]->receive_ring().free_slots() >= 3) honest_[0]->post(3);
    for (int n = 0; n < 8; ++n) client.put(segment.frame, segment.header);
    client.publish(client.transmit());
    for (int n = 0; n < 8; ++n) (void)client.verdict();
    while (!honest_[0]->silent()) {
      const Bytes got = honest_[0]->receive().bytes;
      EXPECT_EQ(slice(got, 6, 6), mac(1));  // never the other's
    }
  }
  stop = true;
  flipper.join();
  EXPECT_EQ(program_.stats(0).rejected, 0U);
  honest_traffic();
}

TEST_F(SwitchHostile, NoiseInTheRings) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 engine(seed);
  const auto random = [&engine] { return static_cast<std::uint32_t>(engine()); };
  std::uint64_t closed = 0;
  for (int round = 0; round < 60; ++round) {
    auto attacker = program_.connect(0);
    NetClient& client = *attacker.client;
    for (int burst = 0; burst < 20; ++burst) {
      for (std::uint32_t ring = 0; ring < 3; ++ring) {
        std::byte* const base = client.ring_at(ring);
        for (int i = 0; i < 16; ++i) {
          base[RingShape::kSlots + random() % (64 * net::kSlotBytes)] =
              static_cast<std::byte>(random() % 4 == 0 ? random() : random() % 3);
        }
        const SharedIndex producer(base + RingShape::kFrontLine);
        const std::uint32_t step = random() % 64 == 0 ? random() : random() % 8;
        producer.store(producer.load(std::memory_order_relaxed) + step, std::memory_order_release);
      }
      client.kick();
      ASSERT_EQ(honest_[0]->send(small_frame(1, 2)), net::Verdict::Taken);
    }
    honest_traffic();
    program_.send(MessageType::Closing, attacker.session);
    Message message = program_.next();
    if (message.type == MessageType::Close) {
      ++closed;
      message = program_.next();
    }
    ASSERT_EQ(message.type, MessageType::Release);
    program_.send(MessageType::Closed, attacker.session);
  }
  EXPECT_GT(closed, 0U);
  EXPECT_EQ(program_.hang_up(), 0) << program_.log();
}

}  // namespace
}  // namespace cede::test
