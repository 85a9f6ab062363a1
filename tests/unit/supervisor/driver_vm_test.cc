// SPDX-License-Identifier: Apache-2.0
// Drivers of kind "vm": their descriptions, what is wrong with them, and what they are started
// with.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/unit/supervisor/support.h"
#include "vmm/supervisor/checks.h"
#include "vmm/supervisor/driver_vm_checks.h"
#include "vmm/supervisor/driver_vm_plan.h"
#include "vmm/supervisor/launch_plan.h"
#include "vmm/supervisor/vfio.h"

namespace cede::supervisor {
namespace {

namespace fs = std::filesystem;

constexpr const char* kMachine = "[driver.vm]\nkernel = \"k\"\ninitrd = \"i\"\n";

// A driver that begins at line 3; its keys follow from line 6 on.
std::string with_driver(const std::string& keys, const std::string& device) {
  return "name = \"s\"\nbudget = \"64M\"\n[[driver]]\nname = \"d\"\nkind = \"vm\"\n" + keys +
         "[[client]]\nname = \"c\"\naccount = \"32M\"\n[[client.device]]\nname = \"x\"\n"
         "driver = \"d\"\n" +
         device;
}
std::string disk_driver(const std::string& machine = "", const std::string& keys = "") {
  return with_driver("disk = \"a.img\"\n" + keys + kMachine + machine +
                         "[[driver.volume]]\nname = \"v\"\noffset = 0\nsize = \"1M\"\n",
                     "volume = \"v\"\nregion = \"4M\"\n");
}
std::string switch_driver(const std::string& machine = "",
                          const std::string& keys = "uplink = { tap = \"up0\" }\n") {
  return with_driver(keys + kMachine + machine, "");
}

System parsed_well(const std::string& text) {
  Problems problems;
  Problems warnings;
  System system = parse_system(text, "/etc/s.toml", problems);
  if (problems.empty()) check_system(system, problems, warnings);
  EXPECT_EQ(lines(problems), "") << text;
  return system;
}
std::string problems_of(const std::string& text) {
  Problems problems;
  Problems warnings;
  const System system = parse_system(text, "/etc/s.toml", problems);
  if (problems.empty()) check_system(system, problems, warnings);
  return lines(problems);
}

TEST(DriverVmDescription, ADiskMakesItABlockDriver) {
  const System system = parsed_well(disk_driver("memory = \"512M\"\ncpus = 2\n"));
  const Driver& driver = system.drivers.front();
  ASSERT_TRUE(driver.vm);
  EXPECT_FALSE(driver.is_net());
  EXPECT_EQ(*driver.vm->machine.kernel, "/etc/k");
  EXPECT_EQ(*driver.vm->machine.initrd, "/etc/i");
  EXPECT_EQ(*driver.vm->machine.memory, 512U << 20);
  EXPECT_EQ(*driver.vm->machine.cpus, 2U);
  EXPECT_EQ(*driver.vm->disk_device, "nvme");
  EXPECT_FALSE(system.clients.front().devices.front().port);
}

TEST(DriverVmDescription, ASwitchsKeysMakeItASwitch) {
  for (const char* keys : {"uplink = { tap = \"up0\" }\n", "mtu = 9000\n"}) {
    const System system = parsed_well(switch_driver("", keys));
    const Driver& driver = system.drivers.front();
    EXPECT_TRUE(driver.is_net());
    EXPECT_EQ(*driver.vm->machine.memory, 256U << 20);
    EXPECT_EQ(*driver.vm->machine.cpus, 1U);
    EXPECT_EQ(*driver.vm->nic, "virtio-net");
    EXPECT_TRUE(system.clients.front().devices.front().port);
  }
}

TEST(DriverVmDescription, ADeviceOfTheHostsTakesThePlaceOfBoth) {
  const System block = parsed_well(with_driver(
      std::string(kMachine) + "pci = \"0000:03:00.0\"\n[[driver.volume]]\nname = \"v\"\n"
                              "offset = 0\nsize = \"1M\"\n",
      "volume = \"v\"\n"));
  EXPECT_FALSE(block.drivers.front().is_net());
  EXPECT_EQ(*block.drivers.front().disk, "");
  EXPECT_TRUE(parsed_well(switch_driver("pci = \"0000:03:00.0\"\n", "")).drivers.front().is_net());
}

struct Mistake {
  const char* title;
  std::string text;
  const char* expected;
};
void PrintTo(const Mistake& mistake, std::ostream* out) {
  *out << mistake.title;
}
class DriverVmMistake : public testing::TestWithParam<Mistake> {};

TEST_P(DriverVmMistake, IsNamedWithItsPlaceAndARemedy) {
  EXPECT_EQ(problems_of(GetParam().text), GetParam().expected);
}

const Mistake kMistakes[] = {
    {"NothingToServe", switch_driver("", ""),
     "f:5:8: the VM of 'd' serves nothing; add a disk and a [[driver.volume]], or an uplink or mtu "
     "for a switch\n"},
    {"NothingToBoot", with_driver("mtu = 1500\n", ""),
     "f:5:8: the VM of 'd' has nothing to boot; add [driver.vm] with a kernel and an initrd\n"},
    {"DiskAndSwitch", disk_driver("", "mtu = 1500\n"),
     "f:7:7: a VM with a disk is no switch, and has no 'mtu'; remove it, or give the switch a "
     "driver of its own\n"},
    {"DiskAndPci", disk_driver("pci = \"0000:03:00.0\"\n"),
     "f:6:8: the VM has a device of the host's, and no 'disk'; remove it, or 'pci'\n"},
    {"UplinkAndPci", switch_driver("pci = \"0000:03:00.0\"\n"),
     "f:6:10: the VM has a device of the host's, and no 'uplink'; remove it, or 'pci'\n"},
    {"PciAddress", switch_driver("pci = \"03:00.0\"\n", ""),
     "f:9:7: '03:00.0' is not the address of a PCI device; write pci = \"0000:03:00.0\" or the "
     "like, as lspci -D shows it\n"},
    {"DiskDevice", disk_driver("disk_device = \"floppy\"\n"),
     "f:10:15: 'floppy' is not a possible disk_device; use one of: nvme, virtio-blk\n"},
    {"NicOfADisk", disk_driver("nic = \"vmxnet3\"\n"),
     "f:10:1: unknown key 'nic' in [driver.vm]; known here: kernel, initrd, memory, cpus, "
     "disk_device, pci\n"},
    {"TooLittleMemory", disk_driver("memory = \"32M\"\n"),
     "f:10:10: the memory of the VM of 'd' is not whole MiB, 64 or more; use a size such as "
     "\"256M\"\n"},
    {"InterfaceOfTheHosts", switch_driver("", "uplink = { interface = \"eth1\" }\n"),
     "f:6:24: the VM of 'd' cannot have the host's interface 'eth1' as its uplink; use a TAP, and "
     "put both on a bridge: ip link add br0 type bridge; see ip-link(8)\n"},
    {"MtuThatNobodyHears",
     switch_driver("nic = \"vmxnet3\"\n", "uplink = { tap = \"up0\" }\nmtu = 9000\n"),
     "f:7:7: nobody tells a vmxnet3 of its MTU; remove 'mtu', or use nic = \"virtio-net\"\n"},
    {"DeviceOfTheOtherKind",
     with_driver("disk = \"a.img\"\n" + std::string(kMachine) +
                     "[[driver.volume]]\nname = \"v\"\noffset = 0\nsize = \"1M\"\n",
                 "volume = \"v\"\nvlan = 7\n"),
     "f:21:8: driver 'd' is of kind 'vm' with a disk, where a device has no 'vlan'; remove it, or "
     "name a driver of kind \"net\"\n"},
};
INSTANTIATE_TEST_SUITE_P(All, DriverVmMistake, testing::ValuesIn(kMistakes),
                         [](const auto& test) { return std::string(test.param.title); });

// --- What this machine has

TEST(DriverVmChecks, AKernelThatIsNotThereIsAProblem) {
  Problems problems;
  const System system = parsed_well(disk_driver());
  check_driver_vms(system, problems);
  EXPECT_EQ(lines(problems),
            "f:8:10: cannot read '/etc/k': No such file or directory; images/build and "
            "images/driver make a kernel and an initrd\n"
            "f:9:10: cannot read '/etc/i': No such file or directory; images/build and "
            "images/driver make a kernel and an initrd\n");
}

class Vfio : public testing::Test {
 protected:
  Vfio() {
    fs::create_directories(device_);
    fs::create_directories(sys_ / "kernel/iommu_groups/7");
    fs::create_directories(sys_ / "bus/pci/drivers/vfio-pci");
    fs::create_directories(sys_ / "bus/pci/drivers/nvme");
    fs::create_directories(dev_ / "vfio");
  }
  void join_group() const {
    fs::create_directory_symlink(sys_ / "kernel/iommu_groups/7", device_ / "iommu_group");
  }
  void bind(const char* driver) const {
    fs::remove(device_ / "driver");
    fs::create_directory_symlink(sys_ / "bus/pci/drivers" / driver, device_ / "driver");
  }
  [[nodiscard]] std::string problem(const std::string& address = "0000:03:00.0") const {
    const auto found = vfio_problem(address, sys_, dev_);
    return found ? found->what : "";
  }

  TemporaryDirectory directory_;
  fs::path sys_ = directory_.path() / "sys";
  fs::path dev_ = directory_.path() / "dev";
  fs::path device_ = sys_ / "bus/pci/devices/0000:03:00.0";
};

TEST_F(Vfio, SaysWhatIsMissingStepByStep) {
  EXPECT_EQ(problem("0000:04:00.0"), "this machine has no PCI device 0000:04:00.0");
  EXPECT_EQ(problem(), "the PCI device 0000:03:00.0 is behind no IOMMU: " +
                           (device_ / "iommu_group").string() + " is missing");
  join_group();
  EXPECT_EQ(problem(), "the PCI device 0000:03:00.0 belongs to no driver, not to vfio-pci");
  bind("nvme");
  EXPECT_EQ(problem(), "the PCI device 0000:03:00.0 belongs to the driver 'nvme', not to vfio-pci");
  bind("vfio-pci");
  EXPECT_EQ(problem(), (dev_ / "vfio/7").string() + " is missing");
  std::ofstream(dev_ / "vfio/7") << "";
  EXPECT_EQ(problem(), "");
}

// --- What is started

std::string command_line(const System& system, const DriverVmFacts& facts) {
  return shell_line(driver_vm_arguments(system, 0, facts));
}
DriverVmFacts facts() {
  return {.fds = {.kernel = 3, .initrd = 4, .bells = 5, .monitor = 6, .sessions = 7, .console = 8}};
}
#define EXPECT_HAS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)
#define EXPECT_HAS_NOT(text, part) EXPECT_EQ((text).find(part), std::string::npos) << (text)

TEST(DriverVmPlan, EachDeviceHasRoomForTwoLivesOfItsSession) {
  EXPECT_EQ(driver_vm_ports(parsed_well(disk_driver()), 0), 3U);
  std::string text =
      "name = \"s\"\nbudget = \"1G\"\n[[driver]]\nname = \"d\"\nkind = \"vm\"\n"
      "mtu = 1500\n" +
      std::string(kMachine);
  for (int i = 0; i < 40; ++i) {
    text += fmt::format(
        "[[client]]\nname = \"c{}\"\naccount = \"8M\"\n[[client.device]]\n"
        "name = \"x\"\ndriver = \"d\"\n",
        i);
  }
  EXPECT_EQ(driver_vm_ports(parsed_well(text), 0), 64U);
}

TEST(DriverVmPlan, TheGuestIsToldTheDriversCommandLine) {
  EXPECT_EQ(guest_command(parsed_well(disk_driver()), 0, 0),
            "cede-driver\n--disk-name\nd\n--export\n"
            "device=0,name=c/x,offset=0,length=1048576,weight=1,serial=v");
  EXPECT_HAS(guest_command(parsed_well(switch_driver()), 0, 9000),
             "cede-switch\n--mtu\n9000\n--uplink-interface\neth0");
  // Inside one of QEMU's options.
  EXPECT_HAS(command_line(parsed_well(disk_driver()), facts()),
             "'name=opt/cede/arguments,string=cede-driver\n--disk-name\nd\n--export\n"
             "device=0,,name=c/x,,offset=0,,length=1048576,,weight=1,,serial=v'");
}

TEST(DriverVmPlan, TheDiskIsTheSupervisorsOpenFileAndItsLockHolds) {
  DriverVmFacts with_disk = facts();
  with_disk.fds.disk = 9;
  const std::string file = command_line(parsed_well(disk_driver()), with_disk);
  EXPECT_HAS(file,
             "-add-fd fd=9,set=1 -blockdev driver=raw,node-name=disk,read-only=off,"
             "discard=unmap,cache.direct=off,file.driver=file,"
             "file.filename=/dev/fdset/1,file.locking=off,file.aio=threads -device "
             "nvme,drive=disk,serial=d");
  with_disk.disk_is_block_device = true;
  const std::string device = command_line(
      parsed_well(disk_driver("disk_device = \"virtio-blk\"\n", "direct = true\n")), with_disk);
  EXPECT_HAS(device, "cache.direct=on,file.driver=host_device");
  EXPECT_HAS(device, "-device virtio-blk-pci,drive=disk");
}

TEST(DriverVmPlan, TheUplinkIsTheSupervisorsTap) {
  DriverVmFacts with_tap = facts();
  with_tap.fds.uplink = 9;
  const std::string usual = command_line(parsed_well(switch_driver()), with_tap);
  EXPECT_HAS(usual,
             "-netdev tap,id=uplink,fd=9,vhost=off -device virtio-net-pci,netdev=uplink,mac=");
  EXPECT_HAS_NOT(usual, "host_mtu");
  with_tap.mtu = 9000;
  EXPECT_HAS(command_line(parsed_well(switch_driver()), with_tap), ",host_mtu=9000");
  EXPECT_HAS(command_line(parsed_well(switch_driver("nic = \"vmxnet3\"\n")), facts()), "-sandbox");
}

TEST(DriverVmPlan, NothingIsThereThatNobodyAskedFor) {
  const std::string line = command_line(parsed_well(disk_driver()), facts());
  EXPECT_HAS(line, "-nodefaults -no-user-config");
  EXPECT_HAS(line,
             "-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,"
             "resourcecontrol=deny");
  for (const char* absent : {"-blockdev", "-netdev", "vfio-pci", "-accel kvm"}) {
    EXPECT_HAS_NOT(line, absent);
  }
}

TEST(DriverVmPlan, ADeviceOfTheHostsIsMappedThroughTheGuestsIommu) {
  const System system = parsed_well(switch_driver("pci = \"0000:03:00.0\"\n", ""));
  const std::string line = command_line(system, facts());
  EXPECT_HAS(line, "-device intel-iommu,intremap=on,caching-mode=on");
  EXPECT_HAS(line, "-device vfio-pci,host=0000:03:00.0");
}

TEST(DriverVmPlan, PortsHaveRoomForTheLargestRegionWhereverTheirWindowsBegin) {
  std::string large = disk_driver();
  for (const std::string size : {"\"64M\"", "\"32M\"", "\"4M\""}) {
    large.replace(large.find(size), size.size(), "\"1G\"");
  }
  EXPECT_HAS(command_line(parsed_well(large), facts()), "pref64-reserve=2048M");
}

}  // namespace
}  // namespace cede::supervisor
