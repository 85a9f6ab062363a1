// SPDX-License-Identifier: Apache-2.0
// The real cede-driver as the one service of a real guest, with the test as its host shim and its
// clients.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "protocols/driver_vm.h"
#include "protocols/ivshmem.h"
#include "tests/e2e/driver_vm_fixture.h"
#include "tests/support/session_parts.h"
#include "tests/unit/driver/test_client.h"

namespace cede::qemu {
namespace {

using block::Request;

constexpr std::uint64_t kDiskBytes = 64UL << 20;
constexpr std::uint64_t kVolumeOffset = 1UL << 20;
constexpr Geometry kGeometry{
    .pages = 1024, .rings = 1, .slot_bytes = block::kSlotBytes, .slots = 32};

// The host's end of the guest's port.
class GuestWords {
 public:
  explicit GuestWords(Fd socket) : socket_(std::move(socket)) {}

  void say(const VmPacket& packet) const {
    ASSERT_EQ(::send(socket_.get(), &packet, sizeof packet, MSG_NOSIGNAL),
              static_cast<ssize_t>(sizeof packet));
  }
  void say(MessageType type, Handle session, Status status = Status::Ok) const {
    VmPacket packet{.kind = VmPacket::Kind::Control};
    packet.message.type = type;
    packet.message.subject = session;
    packet.message.status = status;
    say(packet);
  }
  // Waits for the next packet.
  [[nodiscard]] VmPacket hear(std::chrono::milliseconds patience = 60s) const {
    VmPacket packet;
    EXPECT_TRUE(test::readable(socket_.get(), static_cast<int>(patience.count())))
        << "the guest says nothing";
    if (::testing::Test::HasFailure()) return {};
    EXPECT_EQ(::recv(socket_.get(), &packet, sizeof packet, MSG_WAITALL),
              static_cast<ssize_t>(sizeof packet));
    EXPECT_EQ(packet.magic, VmPacket::kMagic);
    return packet;
  }
  void expect(MessageType type, Handle session, Status status = Status::Ok) const {
    const VmPacket packet = hear();
    EXPECT_EQ(packet.kind, VmPacket::Kind::Control);
    EXPECT_EQ(packet.message.type, type);
    EXPECT_EQ(packet.message.subject, session);
    EXPECT_EQ(packet.message.status, status);
  }

 private:
  Fd socket_;
};

// Carries a session's bells as long as it lives.
class Carrier {
 public:
  Carrier(IvshmemEnds& bells, unsigned port, test::OfferFds driver)
      : bridge_(*DoorbellBridge::make(KickWaiter(std::move(driver.kick)),
                                      CallRinger(std::move(driver.call)), bells.interrupts[port],
                                      bells.doorbells[port])),
        thread_([this](const std::stop_token& stop) {
          while (!stop.stop_requested()) {
            (void)test::readable(bridge_.fd(), 1);
            bridge_.turn(now());
          }
        }) {}

 private:
  DoorbellBridge bridge_;
  std::jthread thread_;
};

class DriverGuest : public DriverVmTest {
 protected:
  struct Connected {
    Handle handle{};
    block::Info info{};
    std::unique_ptr<Carrier> carrier{};
    std::unique_ptr<test::TestClient> client{};
  };

  void SetUp() override {
    std::ofstream(image_).close();
    std::filesystem::resize_file(image_, kDiskBytes);
    if (::geteuid() == 0) {
      ASSERT_EQ(::chown(image_.c_str(), kNobody, kNobody), 0);
    }
    std::array<int, 2> sessions{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sessions.data()), 0);
    words_.emplace(Fd(sessions[0]));
    const Fd guests_end(sessions[1]);
    boot(driver_options(guests_end));
    if (HasFatalFailure()) return;
    ASSERT_EQ(words_->hear(kBootTimeout).kind, VmPacket::Kind::Hello) << console();
    connect_monitors();
  }
  GuestOptions driver_options(const Fd& sessions) {
    GuestOptions options = this->options(test::driver_initrd());
    options.inherited.push_back(sessions.get());
    const auto add = [&](const std::vector<std::string>& more) {
      options.extra_arguments.insert(options.extra_arguments.end(), more.begin(), more.end());
    };
    add({"-machine", "kernel-irqchip=split", "-device", "intel-iommu,intremap=on"});
    add({"-append", "console=ttyS0 panic=-1 no_timer_check intel_iommu=on iommu=pt"});
    add({"-chardev", "socket,id=sessions,fd=" + std::to_string(sessions.get())});
    add({"-device", "virtserialport,chardev=sessions,name=" + std::string(kDriverVmPort)});
    add({"-drive", "if=none,id=disk,format=raw,discard=unmap,file=" + image_});
    add({"-device", "nvme,drive=disk,serial=1"});
    add({"-fw_cfg",
         "name=opt/cede/arguments,string=cede-driver\n--export\n"
         "device=0,,name=one,,offset=1048576,,length=33554432\n--export\n"
         "device=1,,name=two,,offset=34603008,,length=1048576\n--log-level\ndebug"});
    return options;
  }
  [[nodiscard]] std::string console() const {
    std::ifstream file(guest_->console_log());
    return {std::istreambuf_iterator<char>(file), {}};
  }
  static VmPacket offer(Handle session, unsigned port, std::uint32_t device) {
    VmPacket packet{.kind = VmPacket::Kind::Control, .port = port};
    packet.message.type = MessageType::Offer;
    packet.message.subject = session;
    packet.message.device = device;
    packet.message.geometry = kGeometry;
    packet.message.name = Name("client");
    return packet;
  }
  Connected connect(unsigned port, std::uint32_t device) {
    test::SessionParts parts = test::make_session_parts(kGeometry);
    EXPECT_EQ(::fcntl(parts.driver.region.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
    Connected connected{.handle = {.index = port, .generation = ++generation_}};
    EXPECT_EQ(plug_->plug({.name = name(port), .bus = session_port(port)},
                          parts.driver.region.get(), kPlugTimeout),
              Status::Ok);
    const PlugOutcome plugged = outcome();
    EXPECT_EQ(plugged.status, Status::Ok) << plugged.problem;
    words_->say(offer(connected.handle, port, device));
    const VmPacket mapped = words_->hear();
    EXPECT_EQ(mapped.message.type, MessageType::Mapped) << to_string(mapped.message.status);
    EXPECT_EQ(mapped.message.subject, connected.handle);
    std::memcpy(&connected.info, mapped.message.info.bytes, sizeof connected.info);
    connected.carrier = std::make_unique<Carrier>(*bells_, port, std::move(parts.driver));
    connected.client = std::make_unique<test::TestClient>(kGeometry, std::move(parts.client));
    words_->say(MessageType::Connected, connected.handle);
    return connected;
  }
  void disconnect(const Connected& session) {
    words_->say(MessageType::Closing, session.handle, Status::Gone);
    words_->expect(MessageType::Release, session.handle);
    unplug(name(session.handle.index));
  }
  static std::string name(unsigned port) { return "session" + std::to_string(port); }
  [[nodiscard]] std::vector<std::byte> on_disk(std::uint64_t offset, std::size_t length) const {
    std::vector<std::byte> bytes(length);
    const Fd file(::open(image_.c_str(), O_RDONLY | O_CLOEXEC));
    EXPECT_EQ(::pread(file.get(), bytes.data(), length, static_cast<off_t>(offset)),
              static_cast<ssize_t>(length));
    return bytes;
  }
  static Request request(std::uint16_t type, std::uint64_t sector, std::uint64_t offset,
                         std::uint32_t length) {
    return {.type = type, .id = 3, .sector = sector, .offset = offset, .length = length};
  }

  std::string image_ = directory_.path("disk.img");
  std::optional<GuestWords> words_;
  std::uint32_t generation_ = 0;
};

TEST_F(DriverGuest, ServesAClientByItsOwnPagesAndNothingStaysInTheGuest) {
  const Connected session = connect(0, 0);
  ASSERT_FALSE(HasFailure()) << console();
  test::TestClient& client = *session.client;
  EXPECT_EQ(session.info.sectors, 32UL << 11U);
  constexpr std::uint32_t kLength = 1 << 20;  // several bounce buffers

  const std::span<std::byte> payload = client.payload(0, kLength);
  for (std::size_t i = 0; i < payload.size(); ++i) payload[i] = static_cast<std::byte>(i / 509);
  const std::vector<std::byte> written(payload.begin(), payload.end());
  ASSERT_EQ(client.run(request(VIRTIO_BLK_T_OUT, 8, client.at(0), kLength)), VIRTIO_BLK_S_OK);
  // Not flushed, and yet with the host.
  EXPECT_EQ(on_disk(kVolumeOffset + 4096, kLength), written);

  const std::span<std::byte> other = client.payload(kLength, kLength);
  ASSERT_EQ(client.run(request(VIRTIO_BLK_T_IN, 8, client.at(kLength), kLength)), VIRTIO_BLK_S_OK);
  EXPECT_TRUE(std::ranges::equal(other, written));
  ASSERT_EQ(client.run(request(VIRTIO_BLK_T_FLUSH, 0, 0, 0)), VIRTIO_BLK_S_OK);
  ASSERT_EQ(client.run(request(VIRTIO_BLK_T_WRITE_ZEROES, 8, 0, kLength)), VIRTIO_BLK_S_OK);
  EXPECT_EQ(on_disk(kVolumeOffset + 4096, kLength), std::vector<std::byte>(kLength));
  EXPECT_TRUE(eventually([&] {
    return console().find("memory type write-back") != std::string::npos;
  })) << console();
  disconnect(session);
}

TEST_F(DriverGuest, ManySmallRequestsAreRungForAndAnswered) {
  const Connected session = connect(kPorts - 1, 1);
  ASSERT_FALSE(HasFailure()) << console();
  test::TestClient& client = *session.client;
  const auto start = Clock::now();
  constexpr std::uint32_t kRequests = 2000;
  for (std::uint32_t i = 0; i < kRequests; ++i) {
    // Now and then, it has gone to sleep.
    if (i % 100 == 0) std::this_thread::sleep_for(5ms);
    ASSERT_EQ(client.run(request(VIRTIO_BLK_T_IN, i % 2048, client.at(0), 512)), VIRTIO_BLK_S_OK);
  }
  std::printf("%u requests, one at a time, in %ld ms\n", kRequests,
              milliseconds_between(start, Clock::now()));
  disconnect(session);
}

TEST_F(DriverGuest, SessionsComeAndGoAtOnePort) {
  for (int i = 0; i < 5; ++i) {
    const Connected first = connect(0, 0);
    const Connected second = connect(9, 1);
    ASSERT_FALSE(HasFailure()) << console();
    for (const Connected* each : {&first, &second}) {
      ASSERT_EQ(each->client->run(request(VIRTIO_BLK_T_IN, 0, each->client->at(0), 4096)),
                VIRTIO_BLK_S_OK);
    }
    disconnect(first);
    ASSERT_EQ(second.client->run(request(VIRTIO_BLK_T_IN, 0, second.client->at(0), 4096)),
              VIRTIO_BLK_S_OK);
    disconnect(second);
    ASSERT_FALSE(HasFailure()) << console();
  }
  EXPECT_TRUE(eventually([&] { return !maps_a_region(); }));
}

TEST_F(DriverGuest, AnOfferThatIsClosedBeforeItsRegionComesIsReleased) {
  const Handle session{.index = 0, .generation = 7};
  words_->say(offer(session, 0, 0));
  words_->say(MessageType::Closing, session, Status::Gone);
  words_->expect(MessageType::Release, session);
  // The others are served meanwhile.
  words_->say(offer(session, 1, 0));
  const Connected other = connect(2, 1);
  ASSERT_EQ(other.client->run(request(VIRTIO_BLK_T_IN, 0, other.client->at(0), 4096)),
            VIRTIO_BLK_S_OK);
  words_->expect(MessageType::Refuse, session, Status::TimedOut);
  disconnect(other);
}

TEST_F(DriverGuest, KicksThatAnnounceNothingAreHeldByTheHost) {
  const Connected session = connect(4, 0);
  ASSERT_FALSE(HasFailure()) << console();
  const std::jthread flood([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      session.client->kick();
      std::this_thread::sleep_for(100us);  // the bridge takes it for honest
    }
  });
  const VmPacket packet = words_->hear();
  EXPECT_EQ(packet.kind, VmPacket::Kind::HoldKicks);
  EXPECT_EQ(packet.port, 4U);
  EXPECT_GE(packet.microseconds, 1000U);
}

TEST_F(DriverGuest, TheMachineEndsWithItsHost) {
  words_.reset();
  const auto end = Clock::now() + kBootTimeout;
  while (guest_->running() && Clock::now() < end) std::this_thread::sleep_for(50ms);
  EXPECT_FALSE(guest_->running()) << "QEMU's end of the port, and what the processor does:\n"
                                  << monitor("info chardev") << monitor("info registers")
                                  << console();
}

}  // namespace
}  // namespace cede::qemu
