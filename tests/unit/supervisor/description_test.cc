// SPDX-License-Identifier: Apache-2.0
#include "vmm/supervisor/description.h"

#include <gtest/gtest.h>

#include "tests/unit/supervisor/support.h"

namespace cede::supervisor {
namespace {

constexpr const char* kWhole = R"(name = "demo"
budget = "256M"
static = true
[[driver]]
name = "disk0"
kind = "block"
disk = "images/../disk.img"
direct = true
cpu_weight = 10000
cpu_limit = 150
  [[driver.volume]]
  name = "vol-a"
  offset = "1M"
  size = 67108864
  [[driver.volume]]
  name = "vol-b"
  partition = "root b"
  read_only = true
[[client]]
name = "alice"
account = "64M"
audit = true
cpu_weight = 1
cpu_limit = 100000
  [[client.device]]
  name = "vda"
  driver = "disk0"
  volume = "vol-a"
  read_only = true
  region = "32M"
  queues = 4
  slots = 256
  weight = 3
  iops = 1000
  bytes_per_second = "10M"
  socket = "/tmp/a.sock"
  connect = false
  [client.vm]
  kernel = "vmlinuz"
  initrd = "/boot/initrd"
  memory = "1G"
  cpus = 2
)";

TEST(Description, EveryKeyArrives) {
  Problems problems;
  const System system = parse_system(kWhole, "/etc/cede/demo.toml", problems);
  ASSERT_EQ(lines(problems), "");
  EXPECT_EQ(*system.name, "demo");
  EXPECT_EQ(*system.budget, 256U << 20);
  EXPECT_TRUE(*system.is_static);
  ASSERT_EQ(system.drivers.size(), 1U);
  const Driver& driver = system.drivers.front();
  EXPECT_EQ(*driver.disk, "/etc/cede/disk.img");
  EXPECT_TRUE(*driver.direct);
  EXPECT_FALSE(driver.read_only());
  EXPECT_EQ(*driver.cpu.weight, 10'000U);
  EXPECT_EQ(*driver.cpu.limit, 150U);
  EXPECT_TRUE(driver.cpu.described);
  ASSERT_EQ(driver.volumes.size(), 2U);
  EXPECT_EQ(*driver.volumes[0].offset, 1U << 20);
  EXPECT_EQ(*driver.volumes[0].size, 64U << 20);
  EXPECT_EQ(*driver.volumes[1].partition, "root b");
  EXPECT_TRUE(*driver.volumes[1].read_only);
  ASSERT_EQ(system.clients.size(), 1U);
  const Client& client = system.clients.front();
  EXPECT_EQ(*client.account, 64U << 20);
  EXPECT_TRUE(*client.audit);
  EXPECT_EQ(*client.cpu.weight, 1U);
  EXPECT_EQ(*client.cpu.limit, 100'000U);
  EXPECT_TRUE(client.cpu.described);
  ASSERT_EQ(client.devices.size(), 1U);
  const Device& device = client.devices.front();
  EXPECT_TRUE(*device.read_only);
  EXPECT_EQ(*device.region, 32U << 20);
  EXPECT_EQ(*device.queues, 4U);
  EXPECT_EQ(*device.slots, 256U);
  EXPECT_EQ(*device.weight, 3U);
  EXPECT_EQ(*device.iops, 1000U);
  EXPECT_EQ(*device.bytes_per_second, 10U << 20);
  EXPECT_EQ(*device.socket, "/tmp/a.sock");
  EXPECT_FALSE(*device.connect);
  ASSERT_TRUE(client.vm);
  EXPECT_EQ(*client.vm->kernel, "/etc/cede/vmlinuz");
  EXPECT_EQ(*client.vm->initrd, "/boot/initrd");
  EXPECT_EQ(*client.vm->memory, 1U << 30);
  EXPECT_EQ(*client.vm->cpus, 2U);
}

TEST(Description, DefaultsAreWhatTheManualSays) {
  Problems problems;
  const System system = parse_system(R"(name = "d"
budget = 4096
[[driver]]
name = "d"
kind = "net"
[[client]]
name = "a"
account = 4096
  [[client.device]]
  name = "v"
  driver = "e"
  volume = "v"
)",
                                     "f", problems);
  ASSERT_EQ(lines(problems), "");
  EXPECT_FALSE(*system.is_static);
  const Device& device = system.clients.front().devices.front();
  EXPECT_EQ(*device.region, 16U << 20);
  EXPECT_EQ(*device.queues, 1U);
  EXPECT_EQ(*device.slots, 128U);
  EXPECT_EQ(*device.weight, 1U);
  EXPECT_EQ(*device.iops, 0U);
  EXPECT_EQ(*device.bytes_per_second, 0U);
  EXPECT_EQ(*device.socket, "");
  EXPECT_TRUE(*device.connect);
  EXPECT_FALSE(*system.clients.front().audit);
  const CpuShare& of_client = system.clients.front().cpu;
  EXPECT_EQ(*of_client.weight, 100U);
  EXPECT_EQ(*of_client.limit, 0U);
  EXPECT_FALSE(of_client.described);
  const CpuShare& of_driver = system.drivers.front().cpu;
  EXPECT_EQ(*of_driver.weight, 400U);
  EXPECT_EQ(*of_driver.limit, 0U);
  EXPECT_FALSE(of_driver.described);
  EXPECT_EQ(*system.policy, Policy::Donated);
  EXPECT_FALSE(system.clients.front().vm);
}

struct Mistake {
  const char* title;
  const char* text;
  const char* expected;
};

void PrintTo(const Mistake& mistake, std::ostream* out) {
  *out << mistake.title;
}

class DescriptionMistake : public testing::TestWithParam<Mistake> {};

TEST_P(DescriptionMistake, IsNamedWithItsPlaceAndARemedy) {
  Problems problems;
  (void)parse_system(GetParam().text, "f", problems);
  EXPECT_EQ(lines(problems), GetParam().expected);
}

constexpr const char* kNameRule =
    "use 1 to 31 letters, digits, '-' and '_', beginning with a letter or digit";

const Mistake kMistakes[] = {
    {"NotToml", "name = \"demo\"\nbudget = = 1\n",
     "f:2:10: Error while parsing value: could not determine value type; correct the TOML; see "
     "cede-system.toml(5) for an example\n"},
    {"KeyTwice", "name = \"a\"\nname = \"b\"\n",
     "f:2:8: Error while parsing key-value pair: cannot redefine existing string 'name'; correct "
     "the TOML; see cede-system.toml(5) for an example\n"},
    {"NothingThere", "",
     "f:1:1: the system has no 'name'; add name = \"...\"\n"
     "f:1:1: the system has no 'budget'; add budget = \"64M\"\n"},
    {"UnknownKey", "name = \"a\"\nbudget = 1\n\ncolour = 1\n",
     "f:4:1: unknown key 'colour' in the system; known here: name, budget, static, policy, "
     "driver, client\n"},
    {"UnknownTable", "name = \"a\"\nbudget = 1\n[[gpu]]\nx = 1\n",
     "f:3:3: unknown key 'gpu' in the system; known here: name, budget, static, policy, "
     "driver, client\n"},
    {"SeveralAtOnce", "name = 1\nbudget = true\nstatic = \"no\"\n",
     "f:1:8: 'name' is not a text; write it between double quotes\n"
     "f:2:10: 'budget' is not a size; write bytes as an integer, or a text such as \"512K\", "
     "\"64M\", \"2G\", \"1T\"\n"
     "f:3:10: 'static' is neither true nor false; write true or false, without quotes\n"},
    {"UnknownPolicy", "name = \"a\"\nbudget = 1\npolicy = \"lent\"\n",
     "f:3:10: 'lent' is not a policy; use one of: donated (the default), revocable, "
     "driver-owned\n"},
    {"SizeWithUnknownSuffix", "name = \"a\"\nbudget = \"64X\"\n",
     "f:2:10: 'budget' is not a size; write bytes as an integer, or a text such as \"512K\", "
     "\"64M\", \"2G\", \"1T\"\n"},
    {"NegativeSize", "name = \"a\"\nbudget = -1\n",
     "f:2:10: 'budget' is not a size; write bytes as an integer, or a text such as \"512K\", "
     "\"64M\", \"2G\", \"1T\"\n"},
    {"ZeroByteInText", "name = \"a\\u0000\"\nbudget = 1\n",
     "f:1:8: 'name' holds a zero byte; remove it\n"},
    {"DriverIsATable", "name = \"a\"\nbudget = 1\n[driver]\nname = \"d\"\n",
     "f:3:1: 'driver' is not a list of tables; begin each with its own [[...driver]] line\n"},
    {"DriverIsAMixedList", "name = \"a\"\nbudget = 1\ndriver = [1, {}]\n",
     "f:3:10: 'driver' is not a list of tables; begin each with its own [[...driver]] line\n"},
    {"EmptyDriver", "name = \"a\"\nbudget = 1\n[[driver]]\n",
     "f:3:1: [[driver]] has no 'name'; add name = \"...\"\n"
     "f:3:1: [[driver]] has no 'kind'; add kind = \"...\"\n"
     "f:3:1: [[driver]] has no 'disk'; add disk = \"...\"\n"},
    {"KindThatDoesNotExist",
     "name = \"a\"\nbudget = 1\n[[driver]]\nname = \"d\"\nkind = \"tape\"\ndisk = \"x\"\n",
     "f:5:8: no driver of kind 'tape'; use kind = \"block\", kind = \"net\" or kind = \"vm\"\n"},
    {"EmptyDisk",
     "name = \"a\"\nbudget = 1\n[[driver]]\nname = \"d\"\nkind = \"block\"\ndisk = \"\"\n",
     "f:6:8: 'disk' is empty; write the path of a file\n"},
    {"VolumeWithoutExtent",
     "name = \"a\"\nbudget = 1\n[[driver]]\nname = \"d\"\nkind = \"block\"\ndisk = \"x\"\n"
     "  [[driver.volume]]\n  name = \"v\"\n",
     "f:7:3: [[driver.volume]] has no 'offset'; add offset = \"64M\"\n"
     "f:7:3: [[driver.volume]] has no 'size'; add size = \"64M\"\n"},
    {"VolumeByBoth",
     "name = \"a\"\nbudget = 1\n[[driver]]\nname = \"d\"\nkind = \"block\"\ndisk = \"x\"\n"
     "  [[driver.volume]]\n  name = \"v\"\n  partition = \"p\"\n  size = 1\n",
     "f:9:15: a volume is a partition or an offset and a size; remove 'partition', or 'offset' and "
     "'size'\n"},
    {"PartitionWithComma",
     "name = \"a\"\nbudget = 1\n[[driver]]\nname = \"d\"\nkind = \"block\"\ndisk = \"x\"\n"
     "  [[driver.volume]]\n  name = \"v\"\n  partition = \"p,read_only\"\n",
     "f:9:15: the partition's name is empty or holds a comma; write the name that sgdisk -p shows, "
     "or rename the partition\n"},
    {"EmptyClient", "name = \"a\"\nbudget = 1\n[[client]]\n",
     "f:3:1: [[client]] has no 'name'; add name = \"...\"\n"
     "f:3:1: [[client]] has no 'account'; add account = \"64M\"\n"},
    {"NumbersOutOfRange",
     "name = \"a\"\nbudget = 1\n[[client]]\nname = \"c\"\naccount = 1\n  [[client.device]]\n"
     "  name = \"v\"\n  driver = \"d\"\n  volume = \"v\"\n  queues = 17\n  slots = 0\n"
     "  weight = 1.5\n  iops = -1\n",
     "f:13:10: 'iops' is out of range; use an integer from 0 to 1000000000000\n"
     "f:10:12: 'queues' is out of range; use an integer from 1 to 16\n"
     "f:11:11: 'slots' is out of range; use an integer from 1 to 4096\n"
     "f:12:12: 'weight' is out of range; use an integer from 1 to 100\n"},
    {"ProcessorsOutOfRange",
     "name = \"a\"\nbudget = 1\n[[driver]]\nname = \"d\"\nkind = \"net\"\ncpu_weight = 0\n"
     "cpu_limit = -1\n[[client]]\nname = \"c\"\naccount = 1\ncpu_weight = 10001\n"
     "cpu_limit = \"50%\"\n",
     "f:6:14: 'cpu_weight' is out of range; use an integer from 1 to 10000\n"
     "f:7:13: 'cpu_limit' is out of range; use an integer from 0 to 100000\n"
     "f:11:14: 'cpu_weight' is out of range; use an integer from 1 to 10000\n"
     "f:12:13: 'cpu_limit' is out of range; use an integer from 0 to 100000\n"},
    {"VmIsAList",
     "name = \"a\"\nbudget = 1\n[[client]]\nname = \"c\"\naccount = 1\n[[client.vm]]\n",
     "f:6:1: 'vm' is not a table; begin it with a [...vm] line\n"},
    {"VmWithoutKernel",
     "name = \"a\"\nbudget = 1\n[[client]]\nname = \"c\"\naccount = 1\n[client.vm]\n",
     "f:6:1: [client.vm] has no 'kernel'; add kernel = \"...\"\n"
     "f:6:1: [client.vm] has no 'initrd'; add initrd = \"...\"\n"},
};

INSTANTIATE_TEST_SUITE_P(All, DescriptionMistake, testing::ValuesIn(kMistakes),
                         [](const auto& test) { return std::string(test.param.title); });

TEST(Description, ANameNeedsNoQuotingAnywhere) {
  for (const char* good : {"a", "7", "vol-a", "A_b-9", "abcdefghijklmnopqrstuvwxyz01234"}) {
    EXPECT_TRUE(valid_name(good)) << good;
  }
  for (const char* bad : {"", "-a", "_a", "a b", "a/b", "..", "a,b", "a=b", "a\n", "\xc3\xa4",
                          "abcdefghijklmnopqrstuvwxyz012345"}) {
    EXPECT_FALSE(valid_name(bad)) << bad;
    Problems problems;
    (void)parse_system("budget = 1\nname = '''" + std::string(bad) + "'''\n", "f", problems);
    ASSERT_EQ(problems.size(), 1U) << bad;
    EXPECT_EQ(problems.front().remedy.empty(), false);
  }
  Problems problems;
  (void)parse_system("name = \"a b\"\nbudget = 1\n", "f", problems);
  EXPECT_EQ(lines(problems), std::string("f:1:8: 'a b' is not a name; ") + kNameRule + "\n");
}

TEST(Description, AMessageCannotSteerTheTerminal) {
  Problems problems;
  (void)parse_system("name = \"\\u001b[2J\"\nbudget = 1\n", "f", problems);
  EXPECT_EQ(lines(problems), std::string("f:1:8: '?[2J' is not a name; ") + kNameRule + "\n");
}

TEST(Description, AFileThatCannotBeReadIsAProblem) {
  const TemporaryDirectory directory;
  Problems problems;
  (void)load_system(directory.path() / "none.toml", problems);
  EXPECT_EQ(lines(problems),
            "f: cannot read the description: No such file or directory; name a readable TOML "
            "file\n");
  problems.clear();
  (void)load_system(directory.path(), problems);
  EXPECT_EQ(lines(problems),
            "f: cannot read the description: Is a directory; name a readable TOML file\n");
  problems.clear();
  (void)load_system(directory.file("huge.toml", (1 << 20) + 1), problems);
  EXPECT_EQ(lines(problems),
            "f: cannot read the description: it is larger than 1 MiB; name a readable TOML file\n");
}

}  // namespace
}  // namespace cede::supervisor
