// SPDX-License-Identifier: Apache-2.0
// A client that takes its memory back, where it can (--revocable-regions), beside two that do not
// and must not notice.
#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/unit/switch/frames.h"
#include "tests/unit/switch/switch_process.h"

namespace cede::test {
namespace {

class SwitchRevocable : public testing::Test {
 protected:
  SwitchRevocable() {
    SessionParts parts = make_session_parts(kPort);
    region_ = region_of(parts);
    attacker_ = program_.connect(0, std::move(parts));
    EXPECT_EQ(attacker_->send(small_frame(9, 1)), net::Verdict::Taken) << "the session is served";
  }
  // Takes everything behind the first `bytes` of the region back.
  void truncate(std::uint64_t bytes) {
    ASSERT_EQ(::ftruncate(region_.get(), static_cast<off_t>(bytes)), 0);
  }
  // The two others talk.
  void honest_traffic() {
    const Bytes frame = small_frame(3, 2, ++round_);
    second_->post(1);
    ASSERT_EQ(first_->send(frame), net::Verdict::Taken);
    while (second_->receive().bytes != frame) second_->post(1);
  }
  void expect_only_the_attacker_falls() {
    EXPECT_EQ(program_.expect(MessageType::Close, attacker_.session).status, Status::Broken);
    program_.expect(MessageType::Release, attacker_.session);
    program_.send(MessageType::Closed, attacker_.session);
    EXPECT_NE(program_.log().find("its memory was taken back"), std::string::npos)
        << program_.log();
    honest_traffic();
    EXPECT_EQ(program_.connect(0)->send(small_frame(9, 1)), net::Verdict::Taken);
    EXPECT_EQ(program_.hang_up(), 0) << program_.log();
  }

  SwitchProcess program_{{port(1), port(2), port(3)}, {"--revocable-regions"}};
  SwitchProcess::Connected first_ = program_.connect(1);
  SwitchProcess::Connected second_ = program_.connect(2);
  SwitchProcess::Connected attacker_;
  Fd region_;
  std::uint32_t round_ = 0;
};

TEST_F(SwitchRevocable, ARegionThatVanishesCostsItsClientTheSession) {
  truncate(0);
  honest_traffic();  // wakes the switch, which looks at every ring
  expect_only_the_attacker_falls();
}

TEST_F(SwitchRevocable, AFrameThatVanishesBeforeItIsCopied) {
  truncate(kPort.data_offset());
  attacker_->transmit().put(
      {.offset = attacker_->room(), .length = 64, .header = {}, .reserved = {}});
  attacker_->publish(attacker_->transmit());
  expect_only_the_attacker_falls();
}

TEST_F(SwitchRevocable, AReceiveBufferThatVanishesBeforeItIsFilled) {
  attacker_->post(1);
  truncate(kPort.data_offset());
  ASSERT_EQ(first_->send(small_frame(1, 2)), net::Verdict::Taken);
  expect_only_the_attacker_falls();
}

}  // namespace
}  // namespace cede::test
