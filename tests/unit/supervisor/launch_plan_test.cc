// SPDX-License-Identifier: Apache-2.0
#include "vmm/supervisor/launch_plan.h"

#include <gtest/gtest.h>

#include "tests/unit/supervisor/support.h"

namespace cede::supervisor {
namespace {

System sample() {
  Problems problems;
  System system = parse_system(R"(name = "demo"
budget = "256M"
[[driver]]
name = "d0"
kind = "block"
disk = "a.img"
  [[driver.volume]]
  name = "a"
  offset = "1M"
  size = "64M"
[[driver]]
name = "d1"
kind = "block"
disk = "b.img"
  [[driver.volume]]
  name = "a-volume-with-a-long-name"
  partition = "root fs"
  read_only = true
[[client]]
name = "alice"
account = "64M"
  [[client.device]]
  name = "vda"
  driver = "d0"
  volume = "a"
  queues = 2
  weight = 5
  iops = 100
  bytes_per_second = "1M"
  region = "4M"
  slots = 64
[[client]]
name = "bob"
account = "64M"
  [[client.device]]
  name = "x"
  driver = "d1"
  volume = "a-volume-with-a-long-name"
  socket = "/s/x.sock"
  [[client.device]]
  name = "y"
  driver = "d0"
  volume = "a"
  read_only = true
)",
                               "/f", problems);
  EXPECT_EQ(lines(problems), "");
  return system;
}

TEST(LaunchPlan, EachDriverNumbersItsDevicesFromZero) {
  const auto plan = plan_attachments(sample());
  ASSERT_EQ(plan.size(), 3U);
  EXPECT_EQ(plan[0].driver, 0U);
  EXPECT_EQ(plan[0].number, 0U);
  EXPECT_EQ(plan[1].driver, 1U);
  EXPECT_EQ(plan[1].number, 0U);
  EXPECT_EQ(plan[2].driver, 0U);
  EXPECT_EQ(plan[2].client, 1U);
  EXPECT_EQ(plan[2].device, 1U);
  EXPECT_EQ(plan[2].number, 1U);
}

TEST(LaunchPlan, ExportsSayAllThatTheDriverHasToKnow) {
  const System system = sample();
  const auto plan = plan_attachments(system);
  EXPECT_EQ(export_argument(system, plan[0]),
            "device=0,name=alice/vda,offset=1048576,length=67108864,weight=5,iops=100,bps=1048576,"
            "serial=a");
  EXPECT_EQ(export_argument(system, plan[1]),
            "device=0,name=bob/x,partition=root fs,read_only,weight=1,serial=a-volume-with-a-long");
  EXPECT_EQ(export_argument(system, plan[2]),
            "device=1,name=bob/y,offset=1048576,length=67108864,read_only,weight=1,serial=a");
}

TEST(LaunchPlan, FrontendsAreToldTheirGeometryInPages) {
  const System system = sample();
  EXPECT_EQ(device_argument(system.clients[0].devices[0], "/run/vda.sock"),
            "name=vda,socket=/run/vda.sock,queues=2,slots=64,pages=1024");
}

TEST(LaunchPlan, SocketsAreInTheClientsDirectoryUnlessNamed) {
  const System system = sample();
  EXPECT_EQ(socket_path(system.clients[0].devices[0], "/run/alice"), "/run/alice/vda.sock");
  EXPECT_EQ(socket_path(system.clients[1].devices[0], "/run/bob"), "/s/x.sock");
}

TEST(LaunchPlan, ADriverMayLockItsRegionsTwiceOver) {
  EXPECT_EQ(locked_bytes(sample(), 0), 2 * (20U << 20) + (64U << 20));
  EXPECT_EQ(locked_bytes(sample(), 1), 2 * (16U << 20) + (64U << 20));
}

TEST(LaunchPlan, ShellLinesSurviveTheShell) {
  EXPECT_EQ(shell_line({"qemu", "-m", "1G", "a b", "it's", ""}), "qemu -m 1G 'a b' 'it'\\''s' ''");
}

TEST(LaunchPlan, AttachingSharesTheMemoryAndReconnects) {
  const System system = sample();
  const std::string line = shell_line(attach_arguments(system.clients[1], "/run/bob"));
  EXPECT_EQ(
      line,
      "-object memory-backend-memfd,id=mem,size=1G,share=on -machine memory-backend=mem -m 1G "
      "-chardev socket,id=x,path=/s/x.sock,reconnect=1 "
      "-device vhost-user-blk-pci,chardev=x,num-queues=1 "
      "-chardev socket,id=y,path=/run/bob/y.sock,reconnect=1 "
      "-device vhost-user-blk-pci,chardev=y,num-queues=1");
}

}  // namespace
}  // namespace cede::supervisor
