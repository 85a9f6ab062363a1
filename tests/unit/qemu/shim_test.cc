// SPDX-License-Identifier: Apache-2.0
// The real program over real sockets: sessions come and go, bells ring, and whoever misbehaves or
// disappears costs what it should and no more.
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#include <csignal>
#include <set>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "protocols/ivshmem.h"
#include "tests/support/shim_program.h"

namespace cede::qemu {
namespace {

using enum MessageType;

constexpr Handle kFirst{.index = 1, .generation = 1};
constexpr Handle kSecond{.index = 2, .generation = 7};

ino_t inode(int fd) {
  struct stat info {};
  EXPECT_EQ(::fstat(fd, &info), 0);
  return info.st_ino;
}

// The shim ends with `status`, and its last words contain `why`.
void expect_end(test::ShimProgram& shim, int status, const std::string& why) {
  EXPECT_EQ(shim.ended(), status) << shim.log();
  EXPECT_NE(shim.log().find(why), std::string::npos) << shim.log();
}

TEST(Shim, ASessionsWholeLife) {
  test::ShimProgram shim;
  shim.boot();
  const test::ClientEnds client = shim.offer(kFirst);
  EXPECT_EQ(shim.plug(), "session0");
  EXPECT_EQ(inode(shim.qemu.descriptor().get()), inode(client.region.get()));
  const VmPacket offer = shim.hear(Offer);
  EXPECT_EQ(offer.port, 0U);
  EXPECT_EQ(offer.message.device, 3U);
  EXPECT_EQ(offer.message.subject, kFirst);
  EXPECT_EQ(offer.message.name.view(), "alice/disk");
  EXPECT_EQ(shim.files().find("memfd:region"), std::string::npos) << "it keeps nothing of a region";

  shim.say(Mapped, kFirst);
  shim.expect(Mapped, kFirst);
  ASSERT_EQ(shim.tell(Connected, kFirst), Status::Ok);
  shim.hear(Connected);
  client.ring();
  EXPECT_TRUE(test::readable(shim.device().vector(0), test::kPatience)) << "the guest's interrupt";
  ASSERT_EQ(::eventfd_write(shim.device().doorbell(0), 1), 0);
  EXPECT_TRUE(test::readable(client.call.waiter.get(), test::kPatience)) << "the client's call";

  ASSERT_EQ(shim.tell(Closing, kFirst), Status::Ok);
  shim.hear(Closing);
  shim.say(Release, kFirst);
  shim.expect_command("device_del");
  shim.qemu.succeed();
  EXPECT_TRUE(shim.broker_hears_nothing()) << "QEMU has the region still";
  shim.qemu.deleted("session0");
  shim.expect_command("object-del");
  shim.qemu.succeed();
  shim.expect(Release, kFirst);
  ASSERT_EQ(shim.tell(Closed, kFirst), Status::Ok);
  (void)shim.connect(kSecond);
}

TEST(Shim, SessionsAtOnceHaveTheirOwnPortsAndBells) {
  test::ShimProgram shim(kMaxBells);
  shim.boot();
  std::vector<test::ClientEnds> clients;
  for (unsigned port = 0; port < kMaxBells; ++port) {
    clients.push_back(shim.connect({.index = port, .generation = 1}));
  }
  clients.back().ring();
  EXPECT_TRUE(test::readable(shim.device().vector(kMaxBells - 1), test::kPatience));
  EXPECT_FALSE(test::readable(shim.device().vector(0)));
  ASSERT_EQ(::eventfd_write(shim.device().doorbell(1), 1), 0);
  EXPECT_TRUE(test::readable(clients[1].call.waiter.get(), test::kPatience));
  EXPECT_FALSE(test::readable(clients[0].call.waiter.get()));

  (void)shim.offer(kSecond);
  EXPECT_EQ(shim.expect(Refuse, kSecond).status, Status::Full);
}

TEST(Shim, ClosedWhilePlugging) {
  test::ShimProgram shim;
  shim.boot();
  (void)shim.offer(kFirst);
  shim.begin_plug();
  ASSERT_EQ(shim.tell(Closing, kFirst), Status::Ok);
  ASSERT_EQ(shim.tell(Offer, kSecond), Status::Ok);
  shim.expect(Refuse, kSecond);  // it has no descriptors; and the Closing was heard before
  shim.expect_command("device_add");
  shim.qemu.succeed();
  shim.unplug();
  shim.expect(Release, kFirst);
}

TEST(Shim, TheGuestsCountersAreTheBellDevicesMemory) {
  const Fd stats = test::make_region(128UL << 10, F_SEAL_SHRINK | F_SEAL_GROW, "stats");
  test::ShimProgram shim(1, {"--stats-fd", std::to_string(stats.get())}, {stats.get()});
  shim.boot();
  EXPECT_EQ(inode(shim.device().shared_memory()), inode(stats.get()));
}

TEST(Shim, ABrokerThatReadsLateMissesNothing) {
  test::ShimProgram shim;
  shim.boot();
  constexpr std::uint32_t kOffers = 900;
  const auto handle = [](std::uint32_t i) { return Handle{.index = i, .generation = 1}; };
  for (std::uint32_t i = 0; i < kOffers; ++i) {
    // Without descriptors: each is answered by a Refuse.
    ASSERT_TRUE(eventually([&] { return shim.tell(Offer, handle(i)) == Status::Ok; })) << i;
  }
  for (std::uint32_t i = 0; i < kOffers; ++i) shim.expect(Refuse, handle(i));
}

TEST(Shim, EndsInOrderWhenTheBrokerOrASignalSaysSo) {
  test::ShimProgram left;
  left.boot();
  (void)left.connect(kFirst);
  left.close_broker();
  expect_end(left, 0, "the broker has closed");

  test::ShimProgram told;
  told.boot();
  told.process().signal(SIGTERM);
  expect_end(told, 0, "told to stop");
}

TEST(Shim, SaysWhichPartOfQemuHasEnded) {
  test::ShimProgram monitor;
  monitor.boot();
  monitor.qemu.hang_up();
  expect_end(monitor, 1, "its monitor is closed");

  test::ShimProgram bells;
  bells.boot();
  (void)bells.take_bells();
  expect_end(bells, 1, "its bells are closed");

  test::ShimProgram port;
  port.boot();
  (void)port.take_port();
  expect_end(port, 1, "the guest's port is closed");
}

TEST(Shim, RefusesACommandLineThatMakesNoSense) {
  const Fd file(::memfd_create("file", MFD_CLOEXEC));
  const std::string number = std::to_string(file.get());
  test::ShimProgram no_socket(1, {"--monitor", number}, {file.get()});
  expect_end(no_socket, 1, "--monitor " + number + ": pass one end of a Unix socketpair");
  test::ShimProgram no_memory(1, {"--stats-fd", number}, {file.get()});
  expect_end(no_memory, 1, "--stats-fd: pass a memfd of a power of two");
  test::ShimProgram too_many(kMaxBells + 1);
  expect_end(too_many, 1, "--ports");
}

// ---- Attacks

TEST(Shim, AGuestThatTalksGarbageIsGivenUp) {
  test::ShimProgram shim;
  shim.boot();
  const std::array<std::byte, sizeof(VmPacket)> garbage{};
  shim.say(garbage);
  expect_end(shim, 1, "no packet of this version");
}

TEST(Shim, AGuestThatFloodsWithNonsenseIsGivenUp) {
  test::ShimProgram shim;
  shim.boot();
  try {
    for (int i = 0; i < 100'000; ++i) shim.say(Release, kSecond);
    ADD_FAILURE() << "somebody listens to all of that";
  } catch (const std::runtime_error&) {
  }
  expect_end(shim, 1, "says too much that it may not say");
}

TEST(Shim, AGuestThatStopsInTheMiddleOfAPacketHoldsUpNobody) {
  test::ShimProgram shim;
  shim.boot();
  const test::ClientEnds client = shim.connect(kFirst);
  const VmPacket packet{.kind = VmPacket::Kind::Hello};
  shim.say(std::as_bytes(std::span(&packet, 1)).first(7));
  client.ring();
  EXPECT_TRUE(test::readable(shim.device().vector(0), test::kPatience));
  (void)shim.offer(kSecond);
  EXPECT_EQ(shim.plug(), "session1");
}

TEST(Shim, AGuestThatDoesNotReadIsGivenUp) {
  test::ShimProgram shim;
  shim.boot();
  (void)shim.connect(kFirst);
  const auto given_up = [&] {
    while (shim.tell(Connected, kFirst) == Status::Ok) {
    }
    return shim.process().wait(std::chrono::milliseconds(0)).has_value();
  };
  EXPECT_TRUE(eventually(given_up));
  expect_end(shim, 1, "it does not read");
}

TEST(Shim, AGuestThatHoldsKicksForEverHoldsThemForAMoment) {
  test::ShimProgram shim;
  shim.boot();
  const test::ClientEnds client = shim.connect(kFirst);
  shim.say({.kind = VmPacket::Kind::HoldKicks, .port = 0, .microseconds = UINT32_MAX});
  shim.say(Close, kFirst);
  shim.expect(Close, kFirst);  // so it has heard the other, too
  client.ring();
  EXPECT_TRUE(test::readable(shim.device().vector(0), test::kPatience));
}

TEST(Shim, AClientThatKicksWithoutEndHoldsUpNobodyElse) {
  test::ShimProgram shim;
  shim.boot();
  const test::ClientEnds attacker = shim.connect(kFirst);
  const test::ClientEnds client = shim.connect(kSecond);
  const std::jthread storm([&](const std::stop_token& done) {
    while (!done.stop_requested()) attacker.ring();
  });
  for (int i = 0; i < 20; ++i) {
    client.ring();
    ASSERT_TRUE(test::readable(shim.device().vector(1), test::kPatience)) << i;
    std::uint64_t count = 0;
    ASSERT_EQ(::eventfd_read(shim.device().vector(1), &count), 0);
    ASSERT_EQ(::eventfd_write(shim.device().doorbell(1), 1), 0);
    ASSERT_TRUE(test::readable(client.call.waiter.get(), test::kPatience)) << i;
    DoorbellWaiter(Fd(::dup(client.call.waiter.get()))).clear();
  }
  shim.say(Close, kSecond);
  shim.expect(Close, kSecond);
}

TEST(Shim, AQemuThatTalksNonsenseIsGivenUp) {
  test::ShimProgram shim;
  shim.boot();
  shim.qemu.say("nonsense\n");
  expect_end(shim, 1, "QEMU's monitor: protocol broken by the peer");
}

TEST(Shim, AQemuThatDoesNotAnswerHoldsUpNobody) {
  test::ShimProgram shim;
  shim.boot();
  const test::ClientEnds client = shim.connect(kFirst);
  (void)shim.offer(kSecond);
  shim.expect_command("add-fd");  // and no answer
  client.ring();
  EXPECT_TRUE(test::readable(shim.device().vector(0), test::kPatience));
  shim.say(Close, kFirst);
  shim.expect(Close, kFirst);
  shim.close_broker();
  EXPECT_EQ(shim.ended(), 0);
}

TEST(Shim, AQemuThatReadsItsCommandsLateMissesNone) {
  constexpr unsigned kSessions = 32;  // more commands than its socket holds
  test::ShimProgram shim(kSessions);
  shim.boot();
  const auto handle = [](unsigned i) { return Handle{.index = i, .generation = 1}; };
  std::vector<test::ClientEnds> clients;
  for (unsigned i = 0; i < kSessions; ++i) clients.push_back(shim.connect(handle(i)));
  for (unsigned i = 0; i < kSessions; ++i) {
    shim.say(Close, handle(i));
    shim.say(Release, handle(i));
    shim.expect(Close, handle(i));
  }
  std::set<std::string> unplugged;
  for (unsigned i = 0; i < kSessions; ++i) {
    const boost::json::value command = shim.expect_command("device_del");
    unplugged.emplace(command.at("arguments").at("id").as_string());
    shim.qemu.succeed();
  }
  ASSERT_EQ(unplugged.size(), kSessions) << "all of them, and none twice";
  for (unsigned i = 0; i < kSessions; ++i) {
    shim.qemu.deleted("session" + std::to_string(i));
    shim.expect_command("object-del");
    shim.qemu.succeed();
    shim.expect(Release, handle(i));
  }
}

TEST(Shim, AQemuThatSaturatesItsEventfdsHangsNobody) {
  test::ShimProgram shim;
  shim.boot();
  const test::ClientEnds client = shim.connect(kFirst);
  for (const int fd : {shim.device().vector(0), shim.device().doorbell(0)}) {
    ASSERT_EQ(::eventfd_write(fd, UINT64_MAX - 1), 0);
    ASSERT_EQ(::fcntl(fd, F_SETFL, 0), 0);
  }
  EXPECT_TRUE(test::readable(client.call.waiter.get(), test::kPatience));
  for (int i = 0; i < 100; ++i) client.ring();
  shim.say(Close, kFirst);
  shim.expect(Close, kFirst);
}

}  // namespace
}  // namespace cede::qemu
