// SPDX-License-Identifier: Apache-2.0
// Offloads and the link, as the control ring carries them.
#include <gtest/gtest.h>

#include "tests/unit/net_frontend/scripted_port.h"

namespace cede::frontend {
namespace {

using Type = net::Control::Type;
using net::Controlled;
using net::Offload;

const net::Control* find(const std::vector<net::Control>& requests, Type type) {
  for (const net::Control& request : requests) {
    if (request.type == type) return &request;
  }
  return nullptr;
}

TEST(NetControl, AwaitsTheLinkFromTheStateThatItWasTold) {
  ScriptedPort port;
  EXPECT_EQ(port.device->link(), (net::LinkState{true, 1500}));
  const auto requests = port.take_control();
  ASSERT_EQ(requests.size(), 1U);
  EXPECT_EQ(requests[0].type, Type::AwaitLink);
  EXPECT_EQ(requests[0].value, (net::LinkState{true, 1500}.value()));
}

TEST(NetControl, FollowsTheLink) {
  ScriptedPort port;
  Frame frame;
  for (const net::LinkState state :
       {net::LinkState{false, 1500}, net::LinkState{true, 9000}, net::LinkState{true, 68}}) {
    const auto requests = port.take_control();
    ASSERT_EQ(requests.size(), 1U);
    EXPECT_EQ(requests[0].value, port.device->link().value());
    ASSERT_TRUE(port.device->arm(false));
    port.control.put({.id = requests[0].id, .value = state.value()});
    EXPECT_TRUE(port.control.publish());  // it wants to be rung
    EXPECT_FALSE(port.device->receive(0, frame));
    EXPECT_EQ(port.device->link(), state);
    port.device->publish();
  }
  EXPECT_FALSE(port.device->broken());
}

TEST(NetControl, SettlesOffloadsWhenTheDriverAgrees) {
  ScriptedPort port;
  EXPECT_TRUE(port.device->offloads_settled());
  port.device->set_offloads(Offload::kAll);
  EXPECT_FALSE(port.device->offloads_settled());
  port.device->publish();
  const auto requests = port.take_control();
  const net::Control* const request = find(requests, Type::SetOffloads);
  ASSERT_NE(request, nullptr);
  EXPECT_EQ(request->value, Offload::kAll);
  EXPECT_TRUE(port.device->arm(false));
  port.answer_control({.id = request->id});
  EXPECT_FALSE(port.device->arm(false));
  EXPECT_TRUE(port.device->offloads_settled());
}

TEST(NetControl, AsksAgainWhenTheWishChangedMeanwhile) {
  ScriptedPort port;
  port.device->set_offloads(Offload::kAll);
  port.device->set_offloads(Offload::kChecksum);
  port.device->set_offloads(Offload::kChecksum | Offload::kTso4);
  port.device->publish();
  auto requests = port.take_control();
  const net::Control* request = find(requests, Type::SetOffloads);
  ASSERT_NE(request, nullptr);
  EXPECT_EQ(request->value, Offload::kAll);
  EXPECT_EQ(requests.size(), 2U);
  port.answer_control({.id = request->id});
  port.device->publish();
  EXPECT_FALSE(port.device->offloads_settled());
  port.device->publish();
  requests = port.take_control();
  request = find(requests, Type::SetOffloads);
  ASSERT_NE(request, nullptr);
  EXPECT_EQ(request->value, Offload::kChecksum | Offload::kTso4);
  port.answer_control({.id = request->id});
  port.device->publish();
  EXPECT_TRUE(port.device->offloads_settled());
}

TEST(NetControl, DropsFramesOfAnEarlierSetting) {
  ScriptedPort port;
  port.device->set_offloads(Offload::kAll);
  ASSERT_TRUE(port.deliver(pattern(3000), tso4_header()));
  Frame frame;
  ASSERT_TRUE(port.device->receive(0, frame));
  port.device->set_offloads(0);
  ASSERT_TRUE(port.deliver(pattern(9000), tso4_header()));
  ASSERT_TRUE(port.deliver(pattern(60)));
  ASSERT_TRUE(port.device->receive(0, frame));
  EXPECT_EQ(frame.length, 60U);
  EXPECT_FALSE(port.device->receive(0, frame));
  EXPECT_EQ(port.device->unfit(), 1U);
  EXPECT_FALSE(port.device->broken());
}

TEST(NetControl, LivesWithADriverThatKnowsNoControl) {
  ScriptedPort port;
  port.device->set_offloads(Offload::kAll);
  port.device->publish();
  for (const net::Control& request : port.take_control()) {
    port.answer_control({.id = request.id, .status = Controlled::kUnsupported});
  }
  port.device->publish();
  EXPECT_FALSE(port.device->broken());
  EXPECT_FALSE(port.device->offloads_settled());
  EXPECT_TRUE(port.take_control().empty());
  EXPECT_TRUE(port.device->arm(false));
}

// One wish that the driver refuses is not the last one.
TEST(NetControl, AsksForAnotherSettingAfterARefusal) {
  for (const bool meanwhile : {false, true}) {
    ScriptedPort port;
    port.device->set_offloads(Offload::kTso4);
    port.device->publish();
    if (meanwhile) port.device->set_offloads(Offload::kChecksum);
    const auto requests = port.take_control();
    const net::Control* const request = find(requests, Type::SetOffloads);
    ASSERT_NE(request, nullptr);
    port.answer_control({.id = request->id, .status = Controlled::kRefused});
    port.device->publish();
    port.device->set_offloads(meanwhile ? Offload::kChecksum : Offload::kTso4);
    port.device->publish();
    if (!meanwhile) {
      EXPECT_TRUE(port.take_control().empty()) << "the same again would be refused again";
      port.device->set_offloads(Offload::kChecksum);
      port.device->publish();
    }
    const auto next = port.take_control();
    ASSERT_EQ(next.size(), 1U) << meanwhile;
    EXPECT_EQ(next[0].value, Offload::kChecksum);
    port.answer_control({.id = next[0].id});
    port.device->publish();
    EXPECT_TRUE(port.device->offloads_settled());
  }
}

}  // namespace
}  // namespace cede::frontend
