// SPDX-License-Identifier: Apache-2.0
// The real cede-shim and a real QEMU. The test is the broker and the client; a shell in the guest
// is the driver, and says what it is told to say.
#include <gtest/gtest.h>
#include <signal.h>

#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "protocols/driver_vm.h"
#include "protocols/ivshmem.h"
#include "protocols/posix/mapping.h"
#include "tests/e2e/driver_vm_fixture.h"
#include "tests/support/shim_program.h"

namespace cede::qemu {
namespace {

using enum MessageType;

constexpr Handle kFirst{.index = 1, .generation = 1};
constexpr Handle kSecond{.index = 2, .generation = 1};

class ShimVm : public DriverVmTest {
 protected:
  void SetUp() override {
    bell_socket_.client = shim_.take_bells();
    const Fd monitor = shim_.qemu.take_qemu();
    const Fd sessions = shim_.take_port();
    GuestOptions options = this->options();
    for (const Fd* each : {&monitor, &sessions}) options.inherited.push_back(each->get());
    const std::vector<std::string> more = {
        "-chardev", "socket,id=monitor,fd=" + std::to_string(monitor.get()),
        "-mon",     "chardev=monitor,mode=control",
        "-chardev", "socket,id=sessions,fd=" + std::to_string(sessions.get()),
        "-device",  "virtserialport,chardev=sessions,name=" + std::string(kDriverVmPort)};
    options.extra_arguments.insert(options.extra_arguments.end(), more.begin(), more.end());
    std::string problem;
    Result<GuestVm> guest = GuestVm::start(options, &problem);
    ASSERT_TRUE(guest) << problem;
    guest_ = *std::move(guest);
    bell_socket_.client.reset();
    ASSERT_EQ(guest_->wait_ready(kBootTimeout), Status::Ok) << guest_->last_words();
    connect_monitors();
    // The kernel lets a port be opened once: one process there has it, and two files feed it.
    run("for n in /sys/class/virtio-ports/*/name; do"
        " [ $(cat $n) != cede.sessions ] || { p=${n%/name}; ln -s /dev/${p##*/} /tmp/port; }; done;"
        "mkfifo /tmp/say; (exec 9<>/tmp/port 8<>/tmp/say; cat <&9 >/tmp/heard & exec cat <&8 >&9)"
        " </dev/null >/dev/null 2>&1 &");
    say({.kind = VmPacket::Kind::Hello});
    shim_.expect_ready();
  }

  // ---- The driver in the guest

  void say(const VmPacket& packet) {
    std::array<unsigned char, sizeof packet> bytes{};
    std::memcpy(bytes.data(), &packet, sizeof packet);
    std::string octal;
    for (const unsigned char byte : bytes) {
      char text[8];
      std::snprintf(text, sizeof text, "\\%03o", static_cast<unsigned>(byte));
      octal += text;
    }
    run("printf '" + octal + "' >/tmp/say");
  }
  void say(MessageType type, Handle session) {
    VmPacket packet{.kind = VmPacket::Kind::Control};
    packet.message.type = type;
    packet.message.subject = session;
    say(packet);
  }
  // The next packet that the guest has got.
  VmPacket hear(MessageType type) {
    const std::string number = std::to_string(heard_++);
    const std::string size = std::to_string(heard_ * sizeof(VmPacket));
    const std::string text =
        run("until [ $(stat -c %s /tmp/heard) -ge " + size +
            " ]; do usleep 10000; done; dd if=/tmp/heard bs=208 count=1 skip=" + number +
            " 2>/dev/null | od -An -v -tu1");
    std::array<unsigned char, sizeof(VmPacket)> bytes{};
    const char* at = text.c_str();
    for (unsigned char& byte : bytes) {
      char* next = nullptr;
      byte = static_cast<unsigned char>(std::strtoul(at, &next, 10));
      at = next;
    }
    VmPacket packet;
    std::memcpy(&packet, bytes.data(), sizeof packet);
    EXPECT_EQ(packet.magic, VmPacket::kMagic);
    EXPECT_EQ(packet.message.type, type);
    return packet;
  }
  test::ClientEnds connect(Handle session) {
    test::ClientEnds client = shim_.offer(session);
    hear(Offer);
    say(Mapped, session);
    shim_.expect(Mapped, session);
    EXPECT_EQ(shim_.tell(Connected, session), Status::Ok);
    hear(Connected);
    return client;
  }

  test::ShimProgram shim_{kPorts};
  unsigned heard_ = 0;
};

TEST_F(ShimVm, ASessionsWholeLife) {
  const test::ClientEnds client = shim_.offer(kFirst);
  Result<Mapping> memory = Mapping::map(client.region.get(), test::ShimProgram::kRegionBytes);
  ASSERT_TRUE(memory);
  std::memcpy(memory->data() + 4096, &kPattern, sizeof kPattern);
  const VmPacket offer = hear(Offer);
  EXPECT_EQ(offer.port, 0U);
  EXPECT_EQ(offer.message.subject, kFirst);
  enable(offer.port);
  say(Mapped, kFirst);
  shim_.expect(Mapped, kFirst);
  ASSERT_EQ(shim_.tell(Connected, kFirst), Status::Ok);
  hear(Connected);
  EXPECT_EQ(run("devmem " + hex(bar("session0", 2) + 4096) + " 64"), "0xCEDE000000000000\n");

  enable_masked_interrupts();
  EXPECT_EQ(pending_interrupts(), "0x00000000\n");
  client.ring();
  EXPECT_TRUE(eventually([&] { return pending_interrupts() == "0x00000001\n"; }));
  run("devmem " + hex(bar("bells", 0) + kIvshmemDoorbell) + " 32 " + hex(doorbell_to_client(0)));
  EXPECT_TRUE(test::readable(client.call.waiter.get(), test::kPatience));

  ASSERT_EQ(shim_.tell(Closing, kFirst), Status::Ok);
  hear(Closing);
  EXPECT_TRUE(maps_a_region());
  say(Release, kFirst);
  shim_.expect(Release, kFirst);
  EXPECT_TRUE(eventually([&] { return !maps_a_region(); })) << "QEMU has let go";
  (void)connect(kSecond);
}

TEST_F(ShimVm, ADeviceThatTheGuestGivesUpUnaskedEndsItsSession) {
  (void)connect(kFirst);
  run("echo 0 >/sys/bus/pci/slots/0/power");
  shim_.expect(Release, kFirst);
  EXPECT_EQ(hear(Closed).message.status, Status::Gone);
  EXPECT_TRUE(eventually([&] { return !maps_a_region(); }));
}

TEST_F(ShimVm, SessionsComeAndGoAndTheirPortsAreUsedAgain) {
  constexpr std::uint32_t kRounds = 8;
  for (std::uint32_t round = 1; round <= kRounds; ++round) {
    const Handle session{.index = 3, .generation = round};
    (void)connect(session);
    ASSERT_EQ(shim_.tell(Closing, session), Status::Ok);
    hear(Closing);
    say(Release, session);
    shim_.expect(Release, session);
  }
}

TEST_F(ShimVm, AQemuThatIsKilledEndsTheShimWithOneLine) {
  const test::ClientEnds client = connect(kFirst);
  ::kill(guest_->pid(), SIGKILL);
  EXPECT_EQ(shim_.ended(), 1);
  EXPECT_NE(shim_.log().find("error: QEMU has ended"), std::string::npos) << shim_.log();
  EXPECT_TRUE(Mapping::map(client.region.get(), test::ShimProgram::kRegionBytes));
}

}  // namespace
}  // namespace cede::qemu
