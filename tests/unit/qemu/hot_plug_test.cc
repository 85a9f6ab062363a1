// SPDX-License-Identifier: Apache-2.0
// Plugging and unplugging with the test as QEMU: as it should be, refusing, lying and silent.
#include "vmm/qemu/hot_plug.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <thread>

#include "tests/support/fake_monitor.h"
#include "tests/support/ivshmem_peer.h"
#include "vmm/qemu/session_ports.h"

namespace cede::qemu {
namespace {

using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace)
using Kind = PlugOutcome::Kind;

constexpr std::uint64_t kBytes = 4UL << 20;

class HotPlugTest : public ::testing::Test {
 protected:
  HotPlugTest() {
    qemu_.greet();
    EXPECT_EQ(plug_.turn(), Status::Ok);
    EXPECT_EQ(qemu_.hear_name(), "qmp_capabilities");
    qemu_.succeed();
    EXPECT_EQ(plug_.turn(), Status::Ok);
    EXPECT_TRUE(plug_.ready());
  }

  Status plug(const std::string& name, const std::string& bus,
              std::chrono::milliseconds timeout = 10s) {
    return plug_.plug({.name = name, .bus = bus}, region_.get(), timeout);
  }
  // QEMU answers the next command, which is `name`.
  void succeed(const std::string& name) {
    ASSERT_EQ(qemu_.hear_name(), name);
    qemu_.succeed();
    ASSERT_EQ(plug_.turn(), Status::Ok);
  }
  void fail(const std::string& name, const std::string& text,
            const std::string& error = "Generic") {
    ASSERT_EQ(qemu_.hear_name(), name);
    qemu_.fail(text, error);
    ASSERT_EQ(plug_.turn(), Status::Ok);
  }
  void add_fd() {
    ASSERT_EQ(qemu_.hear_name(), "add-fd");
    qemu_.succeed(R"({"fd": 12, "fdset-id": 1})");
    ASSERT_EQ(plug_.turn(), Status::Ok);
  }
  void plugged(const std::string& name) {
    ASSERT_EQ(plug(name, "port-of-" + name), Status::Ok);
    add_fd();
    succeed("object-add");
    succeed("remove-fd");
    succeed("device_add");
    expect(name, Kind::Plugged, Status::Ok);
  }
  void expect(const std::string& name, Kind kind, Status status, const std::string& problem = "") {
    const std::optional<PlugOutcome> outcome = plug_.next_outcome();
    ASSERT_TRUE(outcome);
    EXPECT_EQ(outcome->name, name);
    EXPECT_EQ(outcome->kind, kind);
    EXPECT_EQ(outcome->status, status) << to_string(outcome->status);
    EXPECT_EQ(outcome->problem, problem);
    EXPECT_FALSE(plug_.next_outcome());
  }
  void expect_nothing() {
    EXPECT_FALSE(plug_.next_outcome());
    EXPECT_EQ(qemu_.hear_name(), "");
  }
  void pass(std::chrono::milliseconds time) {
    std::this_thread::sleep_for(time);
    ASSERT_EQ(plug_.turn(), Status::Ok);
  }

  Fd region_ = test::make_region(kBytes);
  test::FakeMonitor qemu_;
  HotPlug plug_{qemu_.take_client()};
};

TEST_F(HotPlugTest, PlugsInFourSteps) {
  ASSERT_EQ(plug("session-1", "session-port0"), Status::Ok);
  const auto arguments_of = [&](const std::string& name) {
    const boost::json::value command = qemu_.hear();
    EXPECT_EQ(command.at("execute").as_string(), name);
    return boost::json::serialize(command.at("arguments"));
  };
  EXPECT_EQ(arguments_of("add-fd"), R"({"fdset-id":1})");
  EXPECT_TRUE(qemu_.descriptor());
  qemu_.succeed(R"({"fd": 12, "fdset-id": 1})");
  ASSERT_EQ(plug_.turn(), Status::Ok);
  EXPECT_EQ(arguments_of("object-add"),
            R"({"qom-type":"memory-backend-file","id":"region1",)"
            R"("mem-path":"/proc/self/fd/12","size":4194304,"share":true})");
  qemu_.succeed();
  ASSERT_EQ(plug_.turn(), Status::Ok);
  EXPECT_EQ(arguments_of("remove-fd"), R"({"fdset-id":1})");
  qemu_.succeed();
  ASSERT_EQ(plug_.turn(), Status::Ok);
  EXPECT_EQ(arguments_of("device_add"),
            R"({"driver":"ivshmem-plain","id":"session-1","memdev":"region1",)"
            R"("bus":"session-port0"})");
  expect_nothing();
  qemu_.succeed();
  ASSERT_EQ(plug_.turn(), Status::Ok);
  expect("session-1", Kind::Plugged, Status::Ok);
}

TEST_F(HotPlugTest, NoTwoPlugsHaveMemoryOfTheSameName) {
  plugged("a");
  plug_.unplug("a", 10s);
  succeed("device_del");
  qemu_.deleted("a");
  ASSERT_EQ(plug_.turn(), Status::Ok);
  succeed("object-del");
  expect("a", Kind::Unplugged, Status::Ok);
  ASSERT_EQ(plug("a", "port-of-a"), Status::Ok);
  add_fd();
  EXPECT_EQ(qemu_.hear().at("arguments").at("id").as_string(), "region2");
}

TEST_F(HotPlugTest, UnplugsAndTriesAgainWhereTheChardevIsBusyStill) {
  plugged("a");
  ASSERT_EQ(plug_.unplug("a", 10s), Status::Ok);
  succeed("device_del");
  expect_nothing();
  qemu_.deleted("another");
  qemu_.deleted("a");
  ASSERT_EQ(plug_.turn(), Status::Ok);
  fail("object-del", "object is in use");
  expect_nothing();
  EXPECT_LE(plug_.until_due(), 10ms);
  pass(15ms);
  succeed("object-del");
  expect("a", Kind::Unplugged, Status::Ok);
  EXPECT_EQ(plug_.unplug("a", 10s), Status::Stale);
  plugged("a");
}

TEST_F(HotPlugTest, TheEventMayComeBeforeTheReply) {
  plugged("a");
  ASSERT_EQ(plug_.unplug("a", 10s), Status::Ok);
  ASSERT_EQ(qemu_.hear_name(), "device_del");
  qemu_.deleted("a");
  qemu_.succeed();
  ASSERT_EQ(plug_.turn(), Status::Ok);
  succeed("object-del");
  expect("a", Kind::Unplugged, Status::Ok);
}

TEST_F(HotPlugTest, RollsBackFromWhereverItFails) {
  ASSERT_EQ(plug("a", "p"), Status::Ok);
  fail("add-fd", "no");
  expect("a", Kind::Plugged, Status::Refused, "no");
  for (const char* nonsense : {"{}", "[]", R"({"fd": -1})", R"({"fd": "12"})", R"({"fd": 1e30})"}) {
    ASSERT_EQ(plug("a", "p"), Status::Ok);
    ASSERT_EQ(qemu_.hear_name(), "add-fd");
    qemu_.succeed(nonsense);
    ASSERT_EQ(plug_.turn(), Status::Ok);
    succeed("remove-fd");
    expect("a", Kind::Plugged, Status::Refused);
  }
  ASSERT_EQ(plug("a", "p"), Status::Ok);
  add_fd();
  fail("object-add", "never");
  fail("remove-fd", "not this either");
  expect("a", Kind::Plugged, Status::Refused, "never");
  ASSERT_EQ(plug("a", "p"), Status::Ok);
  add_fd();
  succeed("object-add");
  fail("remove-fd", "kept");
  succeed("object-del");
  expect("a", Kind::Plugged, Status::Refused, "kept");
  ASSERT_EQ(plug("a", "p"), Status::Ok);
  add_fd();
  succeed("object-add");
  succeed("remove-fd");
  fail("device_add", "Bus 'p' not found");
  fail("object-del", "object is in use");
  pass(15ms);
  succeed("object-del");
  expect("a", Kind::Plugged, Status::Refused, "Bus 'p' not found");
  ASSERT_EQ(plug("a", "p"), Status::Ok) << "nothing is left";
}

TEST_F(HotPlugTest, AGuestThatKeepsADeviceCostsTheDeadlineAndCanBeAskedAgain) {
  plugged("a");
  ASSERT_EQ(plug_.unplug("a", 20ms), Status::Ok);
  EXPECT_EQ(plug_.unplug("a", 20ms), Status::WrongState);
  succeed("device_del");
  EXPECT_LE(plug_.until_due(), 20ms);
  pass(30ms);
  expect("a", Kind::Unplugged, Status::TimedOut);
  ASSERT_EQ(plug_.unplug("a", 10s), Status::Ok);
  fail("device_del", "Device a is already in the process of unplug");
  expect_nothing();
  qemu_.deleted("a");
  ASSERT_EQ(plug_.turn(), Status::Ok);
  succeed("object-del");
  expect("a", Kind::Unplugged, Status::Ok);
}

TEST_F(HotPlugTest, AGuestThatGivesADeviceUpUnaskedIsReported) {
  plugged("a");
  qemu_.deleted("a");
  ASSERT_EQ(plug_.turn(), Status::Ok);
  succeed("object-del");
  expect("a", Kind::Unplugged, Status::Gone);
}

TEST_F(HotPlugTest, AQemuThatDoesNotAnswerCostsTheDeadline) {
  ASSERT_EQ(plug("a", "p", 20ms), Status::Ok);
  pass(30ms);
  expect("a", Kind::Plugged, Status::TimedOut);
  EXPECT_EQ(plug("a", "q"), Status::Busy);
  EXPECT_EQ(plug_.unplug("a", 1s), Status::WrongState);
  add_fd();  // late
  succeed("object-add");
  succeed("remove-fd");
  succeed("device_add");
  expect("a", Kind::Plugged, Status::Ok);
}

TEST_F(HotPlugTest, SeveralDevicesAtOnce) {
  ASSERT_EQ(plug("a", "p"), Status::Ok);
  EXPECT_EQ(plug("b", "p"), Status::Busy) << "a port takes one";
  ASSERT_EQ(plug("b", "q"), Status::Ok);
  add_fd();
  add_fd();
  succeed("object-add");
  fail("object-add", "b fails");
  succeed("remove-fd");
  succeed("remove-fd");
  expect("b", Kind::Plugged, Status::Refused, "b fails");
  succeed("device_add");
  expect("a", Kind::Plugged, Status::Ok);
}

TEST_F(HotPlugTest, RefusesWhatQemuWouldMisunderstand) {
  for (const std::string& bad : {std::string(), std::string("1a"), std::string("a,b"),
                                 std::string("a b"), std::string(33, 'a'), std::string("a\"b")}) {
    EXPECT_EQ(plug(bad, "p"), Status::Invalid) << bad;
    EXPECT_EQ(plug("a", bad), Status::Invalid) << bad;
  }
  const auto status_of = [&](const Fd& region) {
    return plug_.plug({.name = "a", .bus = "p"}, region.get(), 1s);
  };
  EXPECT_EQ(status_of(Fd()), Status::IoError);
  EXPECT_EQ(status_of(test::make_region(3UL << 20)), Status::Invalid) << "not a power of two";
  EXPECT_EQ(status_of(test::make_region(kBytes, 0)), Status::Invalid) << "could be truncated";
  EXPECT_EQ(status_of(test::make_region(kBytes, F_SEAL_SHRINK | F_SEAL_FUTURE_WRITE)),
            Status::WrongState);
  expect_nothing();
}

TEST_F(HotPlugTest, TheWordsOfAHostileQemuAreJudged) {
  plugged("a");
  qemu_.say(R"({"event": "DEVICE_DELETED"})"
            "\n"
            R"({"event": "DEVICE_DELETED", "data": {"device": 7}})"
            "\n"
            R"({"return": {}, "id": 1})"
            "\n");
  EXPECT_EQ(plug_.turn(), Status::Ok);
  expect_nothing();
  for (int i = 0; i < 200; ++i) qemu_.deleted("nobody");
  EXPECT_EQ(plug_.turn(), Status::Ok) << "one bounded round";
  qemu_.say("nonsense\n");
  Status status = Status::Ok;
  for (int i = 0; i < 100 && status == Status::Ok; ++i) status = plug_.turn();
  EXPECT_EQ(status, Status::Broken);
}

TEST_F(HotPlugTest, AQemuThatEndedIsGone) {
  plugged("a");
  qemu_.hang_up();
  EXPECT_EQ(plug_.turn(), Status::Gone);
  EXPECT_EQ(plug_.unplug("a", 1s), Status::Gone);
}

TEST(SessionPorts, AreFunctionsOfTheRootBus) {
  const std::vector<std::string> arguments = session_port_arguments(10, 1UL << 30);
  ASSERT_EQ(arguments.size(), 20U);
  EXPECT_EQ(arguments[0], "-device");
  EXPECT_EQ(arguments[1],
            "pcie-root-port,id=session-port0,bus=pcie.0,addr=10.0,multifunction=on,chassis=1,"
            "slot=0,pref64-reserve=2048M,io-reserve=0");
  EXPECT_EQ(arguments[19],
            "pcie-root-port,id=session-port9,bus=pcie.0,addr=11.1,chassis=10,slot=9,"
            "pref64-reserve=2048M,io-reserve=0");
  EXPECT_EQ(session_port_arguments(1000, 4096).size(), 2 * kMaxSessionPorts);
  EXPECT_NE(session_port_arguments(1, 4096)[1].find("pref64-reserve=512M"), std::string::npos);
}

}  // namespace
}  // namespace cede::qemu
