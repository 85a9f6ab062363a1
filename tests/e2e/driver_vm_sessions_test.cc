// SPDX-License-Identifier: Apache-2.0
// Many clients of one driver VM: each has its session, and what that takes is printed.
#include <fmt/core.h>
#include <gtest/gtest.h>
#include <linux/virtio_blk.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "tests/e2e/running_system.h"
#include "tests/support/guest_images.h"
#include "tests/support/vhost_user_client.h"
#include "vmm/cli/demo/stage.h"

namespace cede::test {
namespace {

constexpr int kClients = 32;

std::string description(const std::string& name) {
  std::string text = fmt::format(
      "name = \"{}\"\nbudget = \"64M\"\n[[driver]]\nname = \"disk0\"\nkind = \"vm\"\n"
      "disk = \"disk.img\"\n{}",
      name, driver_vm_table());
  for (int i = 0; i < kClients; ++i) {
    text +=
        fmt::format("[[driver.volume]]\nname = \"v{0}\"\noffset = \"{0}M\"\nsize = \"1M\"\n", i);
  }
  for (int i = 0; i < kClients; ++i) {
    text += fmt::format(
        "[[client]]\nname = \"c{0}\"\naccount = \"2M\"\n[[client.device]]\nname = \"vda\"\n"
        "driver = \"disk0\"\nvolume = \"v{0}\"\nregion = \"2M\"\nslots = 64\nconnect = false\n",
        i);
  }
  return text;
}

// QEMU's own, without the regions, which are the clients'.
long own_kilobytes(pid_t pid) {
  std::ifstream status(fmt::format("/proc/{}/status", pid));
  for (std::string word; status >> word;) {
    long kilobytes = 0;
    if (word == "RssAnon:" && status >> kilobytes) return kilobytes;
  }
  return 0;
}

TEST(DriverVmSessions, ThirtyTwoClientsShareOneVm) {
  using Clock = std::chrono::steady_clock;
  using Milliseconds = std::chrono::duration<double, std::milli>;
  RunningSystem system;
  (void)cli::run_tool({"truncate", "-s", "32M", system.file("disk.img").string()});
  system.describe(description(system.name()));
  ASSERT_NO_FATAL_FAILURE(system.up());
  const pid_t qemu = system.domain("disk0").at("vm_pid").to_number<pid_t>();
  const long before = own_kilobytes(qemu);
  ASSERT_GT(before, 0);

  std::vector<std::unique_ptr<VhostUserClient>> clients;
  std::vector<double> connect, first_io;
  for (int i = 0; i < kClients; ++i) {
    const std::string name = fmt::format("c{}", i);
    const auto begin = Clock::now();
    system.connect(name, "vda");
    connect.push_back(Milliseconds(Clock::now() - begin).count());
    auto& client = clients.emplace_back(std::make_unique<VhostUserClient>(VhostUserClient::Options{
        .socket_path = std::string(system.session(name, "vda").at("socket").as_string()),
        .data_bytes = 4096,
        .patience = kPatience}));
    client->start();
    EXPECT_EQ(client->execute({.type = VIRTIO_BLK_T_IN, .bytes = 4096}), VIRTIO_BLK_S_OK) << name;
    first_io.push_back(Milliseconds(Clock::now() - begin).count());
  }
  // All of them at once.
  for (auto& client : clients) {
    EXPECT_EQ(client->execute({.type = VIRTIO_BLK_T_OUT, .bytes = 4096}), VIRTIO_BLK_S_OK);
  }
  const auto median = [](std::vector<double> values) {
    std::ranges::nth_element(values, values.begin() + kClients / 2);
    return values[kClients / 2];
  };
  fmt::print(
      "{} sessions on one driver VM: connected after {:.0f} ms, first operation after {:.0f} ms "
      "(medians); {} KiB of QEMU's memory for each\n",
      kClients, median(connect), median(first_io), (own_kilobytes(qemu) - before) / kClients);
  clients.clear();
  EXPECT_TRUE(system.down());
}

}  // namespace
}  // namespace cede::test
