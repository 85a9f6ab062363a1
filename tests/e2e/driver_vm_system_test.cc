// SPDX-License-Identifier: Apache-2.0
// A disk that a driver VM serves to two guests, and the ends that such a VM can come to: killed,
// restarted, without its shim, in a panic, under a supervisor's successor. To the guests each is a
// pause, and nothing else.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <string>

#include "tests/e2e/two_guests.h"
#include "tests/support/guest_images.h"
#include "vmm/cli/demo/stage.h"

namespace cede::test {
namespace {

class DriverVmSystem : public TwoGuests {
 protected:
  [[nodiscard]] std::string driver() const override {
    return "kind = \"vm\"\ndisk = \"disk.img\"\n" + driver_vm_table();
  }

  // `end` ends the VM while both guests write.
  void expect_no_more_than_a_pause(const std::function<void()>& end) {
    write_while(end);
    system_.expect_whole_again(kBootPatience);
    write_some(1);
  }
  void expect_no_error_and_everything_on_disk() {
    expect_no_guest_saw_an_error();
    expect_everything_on_disk();
  }
};

TEST_F(DriverVmSystem, WhatGuestsWriteIsOnTheDiskAndInPlainMemoryOnItsWay) {
  write_some(3);
  const std::string console = system_.log("disk0.console");
  EXPECT_NE(console.find("memory type write-back"), std::string::npos) << console;
  EXPECT_EQ(system_.domain("disk0").at("kind").as_string(), "driver vm");
  // The guest's counters, in memory of the host's.
  const boost::json::object stats = system_.stats();
  for (const auto& device : stats.at("devices").as_array()) {
    EXPECT_GT(device.at("stats").at("writes").to_number<std::uint64_t>(), 0U);
  }
  expect_no_error_and_everything_on_disk();
}

TEST_F(DriverVmSystem, ItsQemuIsKilledUnderWriteLoad) {
  write_some(1);
  for (int i = 0; i < 2; ++i) {
    expect_no_more_than_a_pause([&] { system_.kill_domain("disk0", "vm_pid"); });
  }
  expect_no_error_and_everything_on_disk();
}

// An answered write may not wait in a memory that dies with the VM: its client, who lives on, need
// not write it again.
TEST_F(DriverVmSystem, WhatWasAnsweredButNotFlushedIsThereAfterAKill) {
  const std::string write = "dd if=/tmp/new of=/mnt/file bs=64k oflag=direct conv=notrunc 2>&1";
  run(alice(),
      "head -c 4194304 /dev/urandom >/tmp/old && head -c 4194304 /dev/urandom >/tmp/new && "
      "cp /tmp/old /mnt/file && sync");
  run(alice(), write);
  system_.kill_domain("disk0", "vm_pid");
  system_.expect_whole_again(kBootPatience);
  run(alice(), "echo 3 >/proc/sys/vm/drop_caches && cmp /tmp/new /mnt/file");
  expect_no_error_and_everything_on_disk();
}

TEST_F(DriverVmSystem, ItsShimIsKilledUnderWriteLoad) {
  expect_no_more_than_a_pause([&] { system_.kill_domain("disk0"); });
  expect_no_error_and_everything_on_disk();
}

TEST_F(DriverVmSystem, ItIsRestartedUnderWriteLoad) {
  write_some(1);
  const auto before = system_.domain("disk0").at("vm_pid");
  boost::json::object said;
  expect_no_more_than_a_pause([&] { said = system_.restart("disk0"); });
  EXPECT_EQ(said.at("drain"), "complete");
  EXPECT_EQ(said.at("lives"), 2);
  EXPECT_EQ(said.at("sessions"), 2);
  EXPECT_NE(system_.domain("disk0").at("vm_pid"), before);
  expect_no_error_and_everything_on_disk();
}

// The VM and its shim go on without a supervisor, and its successor sees to their next death.
TEST_F(DriverVmSystem, TheSupervisorIsKilledUnderWriteLoadAndThenItsQemu) {
  write_some(1);
  const auto before = system_.domain("disk0");
  expect_no_more_than_a_pause([&] { system_.kill_supervisor(); });
  const auto adopted = system_.domain("disk0");
  for (const char* same : {"pid", "vm_pid", "lives"}) EXPECT_EQ(adopted.at(same), before.at(same));
  expect_no_more_than_a_pause([&] { system_.kill_domain("disk0", "vm_pid"); });
  expect_no_error_and_everything_on_disk();
}

class DriverVmOnVirtioBlk : public DriverVmSystem {
 protected:
  [[nodiscard]] std::string driver() const override {
    return "kind = \"vm\"\ndisk = \"disk.img\"\ndirect = true\n" + driver_vm_table() +
           "disk_device = \"virtio-blk\"\n";
  }
};

TEST_F(DriverVmOnVirtioBlk, WhatGuestsWriteIsOnTheDisk) {
  write_some(2);
  expect_no_error_and_everything_on_disk();
}

// Its guest panics as soon as a certain word is at the beginning of the disk, which no volume has.
class DriverVmPanic : public DriverVmSystem {
 protected:
  static constexpr std::string_view kWord = "panic now";

  [[nodiscard]] std::string driver() const override {
    const std::string init = system_.file("panic-init").string();
    std::ofstream(init) << fmt::format(
        "#!/bin/busybox sh\n"
        "export PATH=/sbin:/usr/sbin:/bin:/usr/bin\n"
        "mount -t devtmpfs devtmpfs /dev\n"
        "look() {{ dd if=/dev/nvme0n1 iflag=direct bs=4096 count=1 2>/dev/null; }}\n"
        "(while :; do usleep 200000; look | grep -q '{}' && echo c >/proc/sysrq-trigger; done) &\n"
        "exec /driver-init\n",
        kWord);
    const std::string initrd = system_.file("panic.cpio.gz").string();
    const auto made = cli::run_tool({CEDE_IMAGES_APPEND, driver_initrd(), initrd, init + "=/init",
                                     std::string(CEDE_DRIVER_INIT) + "=/driver-init"});
    EXPECT_EQ(made.exit_status, 0) << made.output;
    return "kind = \"vm\"\ndisk = \"disk.img\"\n" + driver_vm_table(initrd);
  }
  void write_word(std::string_view word) const {
    std::fstream file(disk());
    file.write(word.data(), static_cast<std::streamsize>(word.size()));
  }
};

TEST_F(DriverVmPanic, ItsKernelPanicsUnderWriteLoad) {
  expect_no_more_than_a_pause([&] {
    system_.expect_new_life("disk0");
    const std::string before = system_.log("supervisor");
    write_word(kWord);
    EXPECT_TRUE(eventually(
        [&] {
          return system_.log("supervisor").find("is started again", before.size()) !=
                 std::string::npos;
        },
        kBootPatience));
    write_word(std::string(kWord.size(), '\0'));
  });
  EXPECT_NE(system_.log("disk0.console").find("sysrq triggered crash"), std::string::npos);
  expect_no_error_and_everything_on_disk();
}

TEST(DriverVmThatDoesNotBoot, FailsTheStartInOneLineThatSaysWhy) {
  const RunningSystem system;
  const std::string initrd = system.file("nothing").string();
  std::ofstream(initrd) << "no file system";
  (void)cli::run_tool({"truncate", "-s", "2M", system.file("disk.img").string()});
  system.describe("name = \"" + system.name() +
                  "\"\nbudget = \"8M\"\n[[driver]]\nname = \"disk0\"\nkind = \"vm\"\n"
                  "disk = \"disk.img\"\n" +
                  driver_vm_table(initrd) +
                  "[[driver.volume]]\nname = \"a\"\noffset = 0\nsize = \"1M\"\n"
                  "[[client]]\nname = \"alice\"\naccount = \"8M\"\n[[client.device]]\n"
                  "name = \"vda\"\ndriver = \"disk0\"\nvolume = \"a\"\nregion = \"1M\"\n");
  const auto result = system.try_up();
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_NE(result.output.find("'disk0' ended while starting"), std::string::npos) << result.output;
  EXPECT_NE(result.output.find("its console says"), std::string::npos) << result.output;
}

}  // namespace
}  // namespace cede::test
