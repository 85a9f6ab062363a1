// SPDX-License-Identifier: Apache-2.0
#include "vmm/supervisor/launch_plan.h"

#include <fmt/format.h>
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
  EXPECT_EQ(device_argument(system.clients[0].devices[0], "/run/vda.sock", {}),
            "name=vda,socket=/run/vda.sock,queues=2,slots=64,pages=1024");
}

// Alice's VM and bob's TAP on one switch.
System network() {
  Problems problems;
  System system = parse_system(R"(name = "demo"
budget = "256M"
[[driver]]
name = "sw0"
kind = "net"
[[client]]
name = "alice"
account = "64M"
  [[client.device]]
  name = "eth0"
  driver = "sw0"
  mac = "52:54:00:00:00:01"
  ipv4 = "10.0.0.2"
  vlan = 10
  isolated = true
  spoofing = true
  weight = 2
  packets_per_second = 1000
  bytes_per_second = "1M"
  storm = 50
  queues = 2
  slots = 128
[[client]]
name = "bob"
account = "64M"
  [[client.device]]
  name = "eth0"
  driver = "sw0"
  mac = "52:54:00:00:00:02"
  trunk = [10, 20]
  tap = "bob0"
)",
                               "/f", problems);
  EXPECT_EQ(lines(problems), "");
  return system;
}

TEST(LaunchPlan, PortsSayAllThatTheSwitchHasToKnow) {
  const System system = network();
  const auto plan = plan_attachments(system);
  EXPECT_EQ(port_argument(system, plan[0]),
            "device=0,name=alice/eth0,mac=52:54:00:00:00:01,weight=2,ipv4=10.0.0.2,vlan=10,isolated"
            ",spoofing,pps=1000,bps=1048576,storm=50");
  EXPECT_EQ(port_argument(system, plan[1]),
            "device=1,name=bob/eth0,mac=52:54:00:00:00:02,weight=1,trunk=10+20,storm=10000");
}

TEST(LaunchPlan, FrontendsServePortsByASocketOrATap) {
  const System system = network();
  EXPECT_EQ(device_argument(system.clients[0].devices[0], "/run/eth0.sock", {}),
            "class=net,name=eth0,socket=/run/eth0.sock,queues=2,slots=128");
  EXPECT_EQ(device_argument(system.clients[1].devices[0], "", {5, 6}),
            fmt::format("class=tap,name=eth0,tap=5+6,slots={}", net::kSlots));
}

TEST(LaunchPlan, ASwitchMayLockItsRegionsTwiceOver) {
  const std::uint64_t regions =
      net::port_geometry(2, 128).bytes() + net::port_geometry(1, net::kSlots).bytes();
  EXPECT_EQ(region_bytes(network(), 0), regions);
  EXPECT_EQ(locked_bytes(network(), 0), 2 * regions + (64U << 20));
}

TEST(LaunchPlan, APortIsAttachedWithItsAddressAndATapIsNot) {
  const System system = network();
  EXPECT_EQ(shell_line(attach_arguments(system.clients[0], "/run/alice", {}, false)),
            "-object memory-backend-memfd,id=mem,size=1G,share=on -machine memory-backend=mem "
            "-m 1G -chardev socket,id=eth0,path=/run/alice/eth0.sock,reconnect=1 "
            "-netdev vhost-user,id=eth0-net,chardev=eth0,queues=2 "
            "-device virtio-net-pci,netdev=eth0-net,mac=52:54:00:00:00:01,mq=on,vectors=6");
  EXPECT_NE(
      shell_line(attach_arguments(system.clients[0], "/run/alice", {}, true)).find("vectors=0"),
      std::string::npos);
  EXPECT_EQ(shell_line(attach_arguments(system.clients[1], "/run/bob", {}, false)),
            "-object memory-backend-memfd,id=mem,size=1G,share=on -machine memory-backend=mem "
            "-m 1G");
}

TEST(LaunchPlan, AGuestIsToldAMtuThatItWouldNotExpect) {
  const System system = network();
  const auto line = [&](std::uint64_t mtu) {
    return shell_line(
        attach_arguments(system.clients[0], "/run/alice", {{*system.drivers[0].name, mtu}}, false));
  };
  EXPECT_NE(line(9000).find("vectors=6,host_mtu=9000"), std::string::npos) << line(9000);
  EXPECT_EQ(line(1500).find("host_mtu"), std::string::npos) << line(1500);
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
  const std::string line = shell_line(attach_arguments(system.clients[1], "/run/bob", {}, true));
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
