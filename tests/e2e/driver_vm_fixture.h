// SPDX-License-Identifier: Apache-2.0
// A driver VM without a driver: real QEMU, a guest that takes commands, bells, and ports for
// regions. The test is the host shim.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "protocols/posix/mapping.h"
#include "protocols/session.h"
#include "tests/support/eventually.h"
#include "tests/support/guest_images.h"
#include "tests/support/ivshmem_peer.h"
#include "tests/support/temporary_directory.h"
#include "vmm/qemu/doorbell_bridge.h"
#include "vmm/qemu/guest_vm.h"
#include "vmm/qemu/hot_plug.h"
#include "vmm/qemu/ivshmem_server.h"
#include "vmm/qemu/qmp_client.h"
#include "vmm/qemu/session_ports.h"

namespace cede::qemu {

namespace json = boost::json;
using namespace std::chrono_literals;  // NOLINT: for tests
using Clock = std::chrono::steady_clock;

inline constexpr auto kBootTimeout = 120s;
inline constexpr auto kCommandTimeout = 60s;
inline constexpr auto kPlugTimeout = 20'000ms;  // milliseconds on a quiet machine
inline constexpr std::uint64_t kRegion = 4UL << 20;
inline constexpr std::uint64_t kPattern = 0xcede'0000'0000'0000;
inline constexpr unsigned kPorts = 32;
inline constexpr uid_t kNobody = 65534;

inline Fd connect_to(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0)
      << path;
  return socket;
}

inline std::string hex(std::uint64_t value) {
  char text[32];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
  return text;
}

inline std::uint64_t now() {
  return static_cast<std::uint64_t>(
      std::chrono::nanoseconds(Clock::now().time_since_epoch()).count());
}

inline long milliseconds_between(Clock::time_point from, Clock::time_point to) {
  return static_cast<long>((to - from) / std::chrono::milliseconds(1));
}

// A session's memory and bells as broker and client have them, and the shim's half of the bells.
struct Session {
  Session(IvshmemEnds& bells, unsigned bell)
      : region(test::make_region(kRegion)),
        memory(*Mapping::map(region.get(), kRegion)),
        bridge(*DoorbellBridge::make(KickWaiter(std::move(kick.waiter)),
                                     CallRinger(std::move(call.ringer)), bells.interrupts[bell],
                                     bells.doorbells[bell])) {
    for (std::uint64_t i = 0; i < kRegion; i += 8) {
      const std::uint64_t word = kPattern + i;
      std::memcpy(memory.data() + i, &word, sizeof word);
    }
  }
  void seal() const {
    EXPECT_EQ(::fcntl(region.get(), F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_SEAL), 0);
  }

  DoorbellEnds kick = *make_doorbell();
  DoorbellEnds call = *make_doorbell();
  Fd region;
  Mapping memory;
  DoorbellBridge bridge;
};

class DriverVmTest : public ::testing::Test {
 protected:
  void SetUp() override {
    boot(options());
    if (HasFatalFailure()) return;
    ASSERT_EQ(guest_->wait_ready(kBootTimeout), Status::Ok) << guest_->last_words();
    connect_monitors();
  }
  void boot(const GuestOptions& options) {
    Result<IvshmemEnds> bells =
        IvshmemServer::make(std::move(bell_socket_.server),
                            test::make_region(kPageBytes, F_SEAL_SHRINK, "bells").get(), kPorts);
    ASSERT_TRUE(bells);
    bells_ = *std::move(bells);
    std::string problem;
    Result<GuestVm> guest = GuestVm::start(options, &problem);
    ASSERT_TRUE(guest) << problem;
    guest_ = *std::move(guest);
    bell_socket_.client.reset();
  }
  void connect_monitors() {
    plug_.emplace(connect_to(socket("plug")));
    look_.emplace(connect_to(socket("look")));
    ASSERT_EQ(hear().kind, QmpMessage::Kind::Ready);
    ASSERT_TRUE(eventually([&] { return plug_->turn() == Status::Ok && plug_->ready(); }));
  }
  // Root's QEMU is another user's, as it will be, who need not reach the images where they are.
  GuestOptions options(const std::string& initrd = test::guest_initrd()) {
    GuestOptions options;
    options.name = "driver";
    options.kernel = directory_.path("vmlinuz");
    options.initrd = directory_.path("initramfs");
    std::filesystem::copy_file(test::guest_kernel(), options.kernel);
    std::filesystem::copy_file(initrd, options.initrd);
    std::filesystem::permissions(directory_.path(), std::filesystem::perms(0755));
    if (::geteuid() == 0) options.run_as = kNobody;
    options.run_directory = directory_.path("driver");
    options.accelerator = best_accelerator();
    options.inherited = {bell_socket_.client.get()};
    options.extra_arguments = session_port_arguments(kPorts, 64UL << 20);
    const auto add = [&](const std::vector<std::string>& more) {
      options.extra_arguments.insert(options.extra_arguments.end(), more.begin(), more.end());
    };
    add(IvshmemServer::device_arguments(bell_socket_.client.get(), kPorts));
    for (const std::string name : {"plug", "look"}) {
      add({"-chardev", "socket,id=" + name + ",path=" + socket(name) + ",server=on,wait=off",
           "-mon", "chardev=" + name + ",mode=control"});
    }
    return options;
  }
  [[nodiscard]] std::string socket(const std::string& name) const {
    return directory_.path("driver") + "/" + name + ".sock";
  }

  // ---- QEMU, by a monitor of the test's own

  QmpMessage hear() {
    for (;;) {
      Result<QmpMessage> message = look_->receive();
      if (message && message->kind != QmpMessage::Kind::Event) return *std::move(message);
      if (!message && message.status() != Status::Busy) break;
      if (!message && !test::readable(look_->fd(), 60'000)) break;
    }
    ADD_FAILURE() << "QEMU does not answer";
    return {};
  }
  json::value ask(const std::string& command, const json::object& arguments = {}) {
    EXPECT_TRUE(look_->send(command, arguments));
    QmpMessage reply = hear();
    EXPECT_TRUE(reply.ok) << command << ": " << reply.text;
    return std::move(reply.data);
  }
  std::string monitor(const std::string& line) {
    return std::string(ask("human-monitor-command", {{"command-line", line}}).as_string());
  }
  // Where the guest has put a device's BAR; 0: nowhere yet.
  std::uint64_t bar(const std::string& name, int number) {
    return bar(ask("query-pci").as_array()[0].at("devices"), name, number);
  }
  static std::uint64_t bar(const json::value& devices, const std::string& name, int number) {
    for (const json::value& device : devices.as_array()) {
      if (const json::value* bridge = device.as_object().if_contains("pci_bridge")) {
        const json::value* behind = bridge->as_object().if_contains("devices");
        const std::uint64_t found = behind == nullptr ? 0 : bar(*behind, name, number);
        if (found != 0) return found;
      }
      if (device.at("qdev_id").as_string() != name) continue;
      for (const json::value& region : device.at("regions").as_array()) {
        const auto at = region.at("address").to_number<std::int64_t>();
        if (region.at("bar").to_number<int>() == number && at > 0) {
          return static_cast<std::uint64_t>(at);
        }
      }
    }
    return 0;
  }

  // ---- The guest

  std::string run(const std::string& command) {
    Result<CommandResult> result = guest_->run(command, kCommandTimeout);
    EXPECT_TRUE(result) << command << ": " << to_string(result.status());
    if (!result) return {};
    EXPECT_EQ(result->exit_status, 0) << command << '\n' << result->output;
    return std::move(result->output);
  }
  // Has the guest enable what is behind a port, at the place that protocols/ivshmem.h names: there
  // is no driver that would.
  void enable(unsigned port) {
    char place[32];
    std::snprintf(place, sizeof place, "0000:00:%02x.%x", kFirstPortSlot + port / kPortsPerSlot,
                  port % kPortsPerSlot);
    run("for i in $(seq 1000); do for e in /sys/bus/pci/devices/" + std::string(place) +
        "/*/enable; do [ -e $e ] && echo 1 >$e && exit 0; done; usleep 20000; done; exit 1");
  }

  // The bells' interrupts, seen without a driver: with MSI-X enabled and its vectors masked, as
  // they are at first, they wait in the table of those that are pending.
  void enable_masked_interrupts() {
    run("for d in /sys/bus/pci/devices/0000:00:0*; do"
        " [ $(cat $d/device) != 0x1110 ] || ln -s $d /tmp/d; done; cd /tmp/d;"
        " [ \"$(dd if=config bs=1 skip=64 count=1 2>/dev/null | od -An -tx1)\" = ' 11' ] &&"
        " printf '\\000\\200' | dd of=config bs=1 seek=66 conv=notrunc 2>/dev/null");
  }
  // A bit for each of the first 32; the upper half of BAR 1.
  std::string pending_interrupts() { return run("devmem " + hex(bar("bells", 1) + 2048) + " 32"); }

  // ---- Plugging

  // The next outcome, waited for.
  PlugOutcome outcome(std::chrono::seconds limit = 60s) {
    const auto end = Clock::now() + limit;
    Status status = Status::TimedOut;
    while (Clock::now() < end) {
      status = plug_->turn();
      if (std::optional<PlugOutcome> next = plug_->next_outcome()) return *std::move(next);
      if (status != Status::Ok) break;
      const auto longest = std::min(plug_->until_due() + 1ms, 1000ms);
      (void)test::readable(plug_->fd(), static_cast<int>(longest.count()));
    }
    return {.name = "nothing",
            .status = Status::IoError,
            .problem = std::string(to_string(status)) + ": " + guest_->last_words()};
  }
  void plug(const Session& session, const std::string& name = "session", unsigned port = 0) {
    ASSERT_EQ(
        plug_->plug({.name = name, .bus = session_port(port)}, session.region.get(), kPlugTimeout),
        Status::Ok);
    const PlugOutcome plugged = outcome();
    ASSERT_EQ(plugged.kind, PlugOutcome::Kind::Plugged) << plugged.problem;
    ASSERT_EQ(plugged.status, Status::Ok) << plugged.problem;
  }
  void unplug(const std::string& name = "session") {
    ASSERT_EQ(plug_->unplug(name, kPlugTimeout), Status::Ok);
    const PlugOutcome unplugged = outcome();
    ASSERT_EQ(unplugged.kind, PlugOutcome::Kind::Unplugged);
    ASSERT_EQ(unplugged.status, Status::Ok) << unplugged.problem;
    EXPECT_EQ(unplugged.name, name);
  }
  [[nodiscard]] bool maps_a_region() const {
    std::ifstream file("/proc/" + std::to_string(guest_->pid()) + "/maps");
    const std::string maps{std::istreambuf_iterator<char>(file), {}};
    return maps.find("memfd:region") != std::string::npos;
  }

  test::TemporaryDirectory directory_;
  test::BellSocket bell_socket_;
  std::optional<IvshmemEnds> bells_;
  std::optional<GuestVm> guest_;
  std::optional<HotPlug> plug_;
  std::optional<QmpClient> look_;
};

}  // namespace cede::qemu
