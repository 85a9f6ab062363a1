// SPDX-License-Identifier: Apache-2.0
// Two stock guests on the switch, by vhost-user-net: traffic of all kinds, and kill -9 of whoever
// is between them, after which they go on without a reboot.
#include <fmt/core.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <array>
#include <chrono>
#include <optional>

#include "tests/e2e/running_system.h"
#include "tests/support/guest_images.h"
#include "vmm/cli/demo/stage.h"
#include "vmm/qemu/guest_vm.h"

namespace cede::test {
namespace {

using std::chrono_literals::operator""s;

constexpr auto kBootTime = 120s;
constexpr auto kCommandTime = 120s;
constexpr const char* kTap = "cede-e2e-g";
constexpr const char* kHost = "10.79.0.1";

struct Client {
  std::string name;
  std::string address;
  std::string mac;
  std::optional<qemu::GuestVm> guest;
};

class NetGuests : public ::testing::Test {
 protected:
  void TearDown() override {
    for (Client& client : clients_) client.guest.reset();
    (void)system_.down({kTap});
  }

  Client& alice() { return clients_[0]; }
  Client& bob() { return clients_[1]; }

  // `features` are for QEMU's virtio-net-pci of both guests.
  void up(unsigned mtu = 1500, const std::string& features = "", unsigned queues = 1) {
    mtu_ = mtu;
    features_ = features;
    queues_ = queues;
    std::string text = fmt::format(
        "name = \"{}\"\nbudget = \"32M\"\n[[driver]]\nname = \"sw0\"\nkind = \"net\"\n"
        "mtu = {}\nuplink = {{ tap = \"{}\", address = \"{}/24\" }}\n",
        system_.name(), mtu, kTap, kHost);
    for (const Client& client : clients_) {
      text += fmt::format(
          "[[client]]\nname = \"{}\"\naccount = \"16M\"\n  [[client.device]]\n  name = "
          "\"eth0\"\n  driver = \"sw0\"\n  mac = \"{}\"\n  queues = {}\n",
          client.name, client.mac, queues);
    }
    system_.describe(text);
    ASSERT_NO_FATAL_FAILURE(system_.up());
    for (Client& client : clients_) ASSERT_NO_FATAL_FAILURE(start(client));
    for (Client& client : clients_) ASSERT_NO_FATAL_FAILURE(configure(client));
  }

  void start(Client& client) {
    qemu::GuestOptions options;
    options.name = client.name;
    options.kernel = guest_kernel();
    options.initrd = guest_initrd();
    options.accelerator = qemu::best_accelerator();
    options.vcpus = queues_;
    options.run_directory = system_.file(client.name + "-vm").string();
    options.nics = {{std::string(system_.session(client.name, "eth0").at("socket").as_string()),
                     client.mac, queues_, features_, mtu_}};
    std::string problem;
    auto guest = qemu::GuestVm::start(options, &problem);
    ASSERT_TRUE(guest) << problem;
    client.guest.emplace(std::move(*guest));
  }
  void configure(Client& client) {
    ASSERT_TRUE(client.guest);
    ASSERT_EQ(client.guest->wait_ready(kBootTime), Status::Ok) << client.guest->last_words();
    run(client, fmt::format("ip addr add {}/24 dev eth0 && ip link set eth0 up", client.address));
    EXPECT_EQ(run(client, "cat /sys/class/net/eth0/mtu"), fmt::format("{}\n", mtu_));
  }

  static std::string run(Client& client, const std::string& command) {
    const auto result = client.guest->run(command, kCommandTime);
    EXPECT_TRUE(result) << client.name << ": " << to_string(result.status());
    if (!result) return {};
    EXPECT_EQ(result->exit_status, 0) << client.name << ": " << command << "\n" << result->output;
    return result->output;
  }
  static void expect_ping(Client& from, const std::string& address, int bytes = 56) {
    run(from, fmt::format("for i in $(seq 30); do ping -c 1 -W 1 -s {} {} >/dev/null && exit 0; "
                          "done; exit 1",
                          bytes, address));
  }
  // Between the guests, with 64 KiB writes.
  void expect_iperf(const std::string& options) {
    run(bob(), "iperf3 -s -1 -D >/dev/null 2>&1; sleep 0.5");
    run(alice(), fmt::format("iperf3 -c {} -l 64K -t 1 {}", bob().address, options));
  }
  // A file of 4 MB in writes of 64 KiB.
  void expect_transfer() {
    run(bob(), "(sleep 60 | nc -l -p 5555 >/tmp/got) >/dev/null 2>&1 & sleep 0.3");
    run(alice(), fmt::format("head -c 4000000 /dev/urandom >/tmp/sent && "
                             "dd if=/tmp/sent bs=64k 2>/dev/null | timeout 60 nc {} 5555",
                             bob().address));
    EXPECT_EQ(run(alice(), "wc -c </tmp/sent; sha256sum </tmp/sent"),
              run(bob(), "wc -c </tmp/got; sha256sum </tmp/got"));
  }

  RunningSystem system_;
  std::array<Client, 2> clients_{{{"alice", "10.79.0.2", "52:54:00:79:00:02", {}},
                                  {"bob", "10.79.0.3", "52:54:00:79:00:03", {}}}};
  unsigned mtu_ = 1500;
  std::string features_;
  unsigned queues_ = 1;
};

TEST_F(NetGuests, TalkToEachOtherAndToTheHost) {
  ASSERT_NO_FATAL_FAILURE(up());
  expect_ping(alice(), bob().address);
  expect_ping(bob(), kHost);
  expect_iperf("");
  expect_iperf("-R");
  expect_transfer();
  run(bob(), "iperf3 -s -1 -D >/dev/null 2>&1; sleep 0.5");
  run(alice(), fmt::format("iperf3 -c {} -u -b 20M -t 1", bob().address));
}

TEST_F(NetGuests, WithoutAnyOffloadEverythingArrives) {
  ASSERT_NO_FATAL_FAILURE(
      up(1500,
         "csum=off,guest_csum=off,gso=off,host_tso4=off,host_tso6=off,guest_tso4=off,"
         "guest_tso6=off"));
  expect_ping(alice(), bob().address);
  expect_iperf("");
  expect_transfer();
}

TEST_F(NetGuests, AGuestWithoutOffloadsIsSentWhatItUnderstands) {
  ASSERT_NO_FATAL_FAILURE(
      up(1500, "guest_csum=off,guest_tso4=off,guest_tso6=off,guest_ecn=off,guest_ufo=off"));
  expect_ping(alice(), bob().address);
  expect_iperf("");
  expect_transfer();
}

TEST_F(NetGuests, FramesOf9000BytesPass) {
  ASSERT_NO_FATAL_FAILURE(up(9000));
  expect_ping(alice(), bob().address, 8972);
  expect_ping(bob(), kHost, 8972);
  expect_iperf("");
}

TEST_F(NetGuests, SeveralQueuesServeOneGuest) {
  ASSERT_NO_FATAL_FAILURE(up(1500, "", 2));
  run(alice(), "ethtool -L eth0 combined 2");
  expect_ping(alice(), bob().address);
  expect_iperf("-P 4");
}

TEST_F(NetGuests, AForgedMacAddressIsDroppedAndCounted) {
  ASSERT_NO_FATAL_FAILURE(up());
  expect_ping(bob(), kHost);
  run(bob(), fmt::format("ip link set eth0 address 52:54:00:66:66:66 && ! arping -c 2 -w 2 -I eth0 "
                         "{}",
                         kHost));
  const boost::json::object now = system_.stats();
  const auto spoofed = [&](std::size_t device) {
    return now.at("devices").at(device).at("stats").at("drops").at("spoofed").to_number<int>();
  };
  EXPECT_EQ(spoofed(0), 0);
  EXPECT_GT(spoofed(1), 0);
  expect_ping(alice(), kHost);
}

TEST_F(NetGuests, GoOnWithoutARebootWhenTheSwitchIsKilledUnderLoad) {
  ASSERT_NO_FATAL_FAILURE(up());
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(alice().guest->submit(fmt::format("ping -A -c 400 -w 10 {}", kHost)), Status::Ok);
    ASSERT_EQ(bob().guest->submit(fmt::format("ping -A -c 400 -w 10 {}", kHost)), Status::Ok);
    system_.kill_domain("sw0");
    EXPECT_TRUE(alice().guest->wait(kCommandTime));
    EXPECT_TRUE(bob().guest->wait(kCommandTime));
    system_.expect_whole_again();
    expect_ping(alice(), bob().address);
    expect_ping(bob(), kHost);
  }
}

TEST_F(NetGuests, GoOnWithoutARebootWhenAFrontendIsKilledUnderLoad) {
  ASSERT_NO_FATAL_FAILURE(up());
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(alice().guest->submit(fmt::format("ping -A -c 400 -w 10 {}", kHost)), Status::Ok);
    system_.kill_domain("alice");
    expect_ping(bob(), kHost);
    EXPECT_TRUE(alice().guest->wait(kCommandTime));
    system_.expect_whole_again();
    expect_ping(alice(), bob().address);
  }
  expect_iperf("");
}

TEST_F(NetGuests, AKilledGuestTouchesNobodyAndItsPortServesTheNext) {
  ASSERT_NO_FATAL_FAILURE(up());
  expect_ping(alice(), bob().address);
  ASSERT_EQ(alice().guest->submit(fmt::format("ping -A -w 20 {}", bob().address)), Status::Ok);
  ASSERT_EQ(::kill(alice().guest->pid(), SIGKILL), 0);
  alice().guest.reset();
  expect_ping(bob(), kHost);
  system_.expect_balanced();
  start(alice());
  configure(alice());
  expect_ping(alice(), bob().address);
  system_.expect_whole_again();
}

}  // namespace
}  // namespace cede::test
