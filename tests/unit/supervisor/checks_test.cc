// SPDX-License-Identifier: Apache-2.0
#include "vmm/supervisor/checks.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/unit/supervisor/support.h"

namespace cede::supervisor {
namespace {

// Two clients on two volumes of one disk; each test spoils one thing by replacing text.
constexpr const char* kSound = R"(name = "demo"
budget = "64M"
static = false
[[driver]]
name = "disk0"
kind = "block"
disk = "disk.img"
  [[driver.volume]]
  name = "vol-a"
  offset = "1M"
  size = "64M"
  [[driver.volume]]
  name = "vol-b"
  offset = "65M"
  size = "64M"
[[client]]
name = "alice"
account = "32M"
  [[client.device]]
  name = "vda"
  driver = "disk0"
  volume = "vol-a"
[[client]]
name = "bob"
account = "32M"
  [[client.device]]
  name = "vda"
  driver = "disk0"
  volume = "vol-b"
)";

struct Change {
  const char* title;
  const char* from;
  const char* to;  // replaces the last occurrence of `from`
  const char* expected;
};

void PrintTo(const Change& change, std::ostream* out) {
  *out << change.title;
}

std::string problems_with(const std::string& text) {
  Problems problems;
  const System system = parse_system(text, "/f", problems);
  EXPECT_EQ(lines(problems), "");
  Problems warnings;
  check_system(system, problems, warnings);
  return lines(problems) + lines(warnings);
}

class Checks : public testing::TestWithParam<Change> {};

TEST_P(Checks, NamesTheMistakeItsPlaceAndARemedy) {
  std::string text = kSound;
  const std::size_t place = text.rfind(GetParam().from);
  ASSERT_NE(place, std::string::npos);
  text.replace(place, std::string(GetParam().from).size(), GetParam().to);
  EXPECT_EQ(problems_with(text), GetParam().expected);
}

const Change kChanges[] = {
    {"Nothing", "demo", "demo", ""},
    {"DomainNameTwice", "\"bob\"", "\"disk0\"",
     "f:24:8: a domain 'disk0' is there already; choose another name\n"},
    {"DomainNamedRoot", "\"bob\"", "\"root\"",
     "f:24:8: a domain 'root' is there already; choose another name\n"},
    {"RevocableMemory", "static = false", "policy = \"revocable\"",
     "f:3:10: warning: \"revocable\" is for measurements only: clients can take memory back while "
     "it is used; use policy = \"donated\", or no 'policy', for anything else\n"},
    {"DriverOwnedMemory", "static = false", "policy = \"driver-owned\"",
     "f:3:10: warning: \"driver-owned\" is for measurements only: clients spend their drivers' "
     "memory; use policy = \"donated\", or no 'policy', for anything else\n"},
    {"VolumeNameTwice", "name = \"vol-b\"", "name = \"vol-a\"",
     "f:13:10: a volume 'vol-a' is there already; choose another name\n"
     "f:29:12: driver 'disk0' has no volume 'vol-b'; name one that has a [[driver.volume]] of its "
     "own\n"},
    {"DeviceNameTwice", "[[client]]\nname = \"bob\"\naccount = \"32M\"\n", "",
     "f:24:10: a device 'vda' is there already; choose another name\n"},
    {"UnknownDriver", "driver = \"disk0\"", "driver = \"disk9\"",
     "f:28:12: there is no driver 'disk9'; name one that has a [[driver]] of its own\n"},
    {"UnknownVolume", "volume = \"vol-b\"", "volume = \"vol-z\"",
     "f:29:12: driver 'disk0' has no volume 'vol-z'; name one that has a [[driver.volume]] of its "
     "own\n"},
    {"TwoWritersOnOneVolume", "volume = \"vol-b\"", "volume = \"vol-a\"",
     "f:29:12: 'alice/vda' and 'bob/vda' both write the volume 'vol-a'; give each a volume of its "
     "own, or make one device read_only = true\n"},
    {"AReaderBesideAWriter", "volume = \"vol-b\"", "volume = \"vol-a\"\n  read_only = true",
     "f:29:12: warning: 'alice/vda' and 'bob/vda' both use the volume 'vol-a', and one writes it; "
     "the reader sees changes under its feet: mount it there only while nobody writes\n"},
    {"VolumesOverlapByOneSector", "offset = \"65M\"", "offset = 68156928",
     "f:14:12: volume 'vol-b' overlaps volume 'vol-a', and both can be written; begin at 65M or "
     "later, or make one read_only = true\n"},
    {"AReadOnlyVolumeInsideAWritableOne", "offset = \"65M\"\n  size = \"64M\"",
     "offset = \"2M\"\n  size = \"1M\"\n  read_only = true",
     "f:14:12: warning: volume 'vol-b' overlaps volume 'vol-a', and one is written; the reader "
     "sees "
     "changes under its feet: mount it there only while nobody writes\n"},
    {"VolumeInsideAnother", "offset = \"65M\"\n  size = \"64M\"",
     "offset = \"2M\"\n  size = \"1M\"",
     "f:14:12: volume 'vol-b' overlaps volume 'vol-a', and both can be written; begin at 65M or "
     "later, or make one read_only = true\n"},
    {"VolumeOfNoSectors", "size = \"64M\"", "size = 0",
     "f:15:10: volume 'vol-b' has no whole number of 512-byte sectors; use a size such as "
     "\"64M\"\n"},
    {"VolumeBetweenSectors", "offset = \"65M\"", "offset = 68157441",
     "f:14:12: volume 'vol-b' does not begin at a 512-byte sector; use an offset such as "
     "\"1M\"\n"},
    {"VolumeBeyondAllNumbers", "offset = \"65M\"\n  size = \"64M\"",
     "offset = \"16777215T\"\n  size = \"2T\"",
     "f:15:10: volume 'vol-b' ends beyond 2^64 bytes; use a smaller size\n"},
    {"PartitionBesideOffset", "offset = \"65M\"\n  size = \"64M\"", "partition = \"p\"",
     "f:14:15: driver 'disk0' has volumes by partition and by offset; use one kind, so that "
     "overlaps can be seen\n"},
    {"AccountSmallerThanItsRegions", "account = \"32M\"", "account = \"12M\"",
     "f:25:11: the account of 'bob', 12M, is less than its devices' regions, 16M together; write "
     "account = \"16M\" or more, or use smaller regions\n"},
    {"BudgetSmallerThanTheAccounts", "budget = \"64M\"", "budget = \"60M\"",
     "f:2:10: the budget of 60M is less than the clients' accounts, 64M together; write budget = "
     "\"64M\" or more, or make accounts smaller\n"},
    {"BudgetOfPartialPages", "budget = \"64M\"", "budget = 67108865",
     "f:2:10: the budget is not a number of whole 4 KiB pages below 16T; use a size such as "
     "\"64M\"\n"},
    {"RegionNotAPowerOfTwo", "volume = \"vol-b\"", "volume = \"vol-b\"\n  region = \"12M\"",
     "f:30:12: the region is not a power of two from 4K to 1G; use a size such as \"16M\"\n"},
    {"RegionOfNothing", "volume = \"vol-b\"", "volume = \"vol-b\"\n  region = 0",
     "f:30:12: the region is not a power of two from 4K to 1G; use a size such as \"16M\"\n"},
    {"RegionWithoutRoomForPayload", "volume = \"vol-b\"",
     "volume = \"vol-b\"\n  region = \"8K\"\n  slots = 128",
     "f:30:12: the region has no room for payload beside 1 ring(s) of 128 slots; use a larger "
     "region, or fewer queues or slots\n"},
    {"SlotsNotAPowerOfTwo", "volume = \"vol-b\"", "volume = \"vol-b\"\n  slots = 100",
     "f:30:11: the number of slots is not a power of two; use 64, 128, 256, ...\n"},
    {"SocketTwice", "volume = \"vol-b\"\n",
     "volume = \"vol-b\"\n  socket = \"/s\"\n  [[client.device]]\n  name = \"vdb\"\n  driver = "
     "\"disk0\"\n  volume = \"vol-a\"\n  socket = \"/x/../s\"\n",
     "f:35:12: another device uses the socket '/s'; choose another path\n"
     "f:34:12: 'alice/vda' and 'bob/vdb' both write the volume 'vol-a'; give each a volume of its "
     "own, or make one device read_only = true\n"},
    {"SocketWithComma", "volume = \"vol-b\"", "volume = \"vol-b\"\n  socket = \"/a,b\"",
     "f:30:12: the socket's path holds a comma; use another path\n"},
    {"StaticThatNeverConnects", "volume = \"vol-b\"", "volume = \"vol-b\"\n  connect = false", ""},
    {"VmOfTooLittleMemory", "volume = \"vol-b\"\n",
     "volume = \"vol-b\"\n  [client.vm]\n  kernel = \"k\"\n  initrd = \"i\"\n  memory = \"63M\"\n",
     "f:33:12: the memory of the VM of 'bob' is not whole MiB, 64 or more; use a size such as "
     "\"256M\"\n"},
    {"NoDevice",
     "  [[client.device]]\n  name = \"vda\"\n  driver = \"disk0\"\n  volume = \"vol-b\"\n", "",
     "f:24:8: client 'bob' has no device; add a [[client.device]]\n"},
};

INSTANTIATE_TEST_SUITE_P(All, Checks, testing::ValuesIn(kChanges),
                         [](const auto& test) { return std::string(test.param.title); });

TEST(ChecksOfSeveralThings, AStaticSystemCannotConnectLater) {
  std::string text = kSound;
  text.replace(text.find("static = false"), 14, "static = true");
  EXPECT_EQ(problems_with(text + "  connect = false\n"),
            "f:30:13: device 'vda' of 'bob' can never connect in a static system; remove connect = "
            "false, or static = true\n");
}

TEST(ChecksOfSeveralThings, ReadersMayShareAReadOnlyVolume) {
  std::string text = kSound;
  text.replace(text.rfind("volume = \"vol-b\""), 16, "volume = \"vol-a\"");
  text.replace(text.find("size = \"64M\""), 12, "size = \"64M\"\n  read_only = true");
  EXPECT_EQ(problems_with(text), "");
}

TEST(ChecksOfSeveralThings, AReaderDoesNotHideASecondWriter) {
  std::string text = kSound;
  text.replace(text.rfind("volume = \"vol-b\""), 16, "volume = \"vol-a\"\n  read_only = true");
  text += "  [[client.device]]\n  name = \"vdb\"\n  driver = \"disk0\"\n  volume = \"vol-a\"\n";
  EXPECT_NE(problems_with(text).find(": 'alice/vda' and 'bob/vdb' both write the volume 'vol-a'"),
            std::string::npos);
}

TEST(ChecksOfSeveralThings, ASystemWithoutClientsHasNoUse) {
  EXPECT_EQ(problems_with("name = \"a\"\nbudget = 4096\n"),
            "f: the system has no client; add a [[client]] with a [[client.device]]\n");
}

TEST(ChecksOfSeveralThings, ASocketPathIsNotLongerThanTheSystemAllows) {
  const std::string sound = kSound;
  EXPECT_EQ(problems_with(sound + "  socket = \"/" + std::string(106, 'x') + "\"\n"), "");
  EXPECT_EQ(problems_with(sound + "  socket = \"/" + std::string(107, 'x') + "\"\n"),
            "f:30:12: the socket's path has 108 bytes, and the system allows 107; use a shorter "
            "path\n");
}

// A system with one driver, of `kind`, and so many devices.
std::string system_of_devices(int count, std::string_view kind) {
  std::string text = fmt::format(
      "name = \"a\"\nbudget = \"1G\"\n[[driver]]\nname = \"d\"\ndisk = \"x\"\n{}", kind);
  std::string devices = "[[client]]\nname = \"c\"\naccount = \"1G\"\n";
  for (int i = 0; i < count; ++i) {
    text +=
        fmt::format("[[driver.volume]]\nname = \"v{}\"\noffset = \"{}M\"\nsize = \"1M\"\n", i, i);
    devices += fmt::format(
        "[[client.device]]\nname = \"d{}\"\ndriver = \"d\"\nvolume = \"v{}\"\nregion = \"64K\"\n",
        i, i);
  }
  return text + devices;
}

TEST(ChecksOfSeveralThings, ADriverHasAtMost256Devices) {
  const std::string few = problems_with(system_of_devices(256, "kind = \"block\"\n"));
  EXPECT_EQ(few.find("has more than"), std::string::npos) << few;
  const std::string many = problems_with(system_of_devices(257, "kind = \"block\"\n"));
  EXPECT_NE(many.find("driver 'd' has more than 256 devices; move some to another driver\n"),
            std::string::npos)
      << many;
}

TEST(ChecksOfSeveralThings, ADriverVmHasOneBellDeviceAndSo64Devices) {
  const std::string vm = "kind = \"vm\"\n[driver.vm]\nkernel = \"k\"\ninitrd = \"i\"\n";
  const std::string many = problems_with(system_of_devices(65, vm));
  EXPECT_NE(many.find("driver 'd' has more than 64 devices; move some to another driver\n"),
            std::string::npos)
      << many;
}

TEST(ChecksOfSeveralThings, AccountsThatOverflowAreNotTakenForSmall) {
  std::string text = "name = \"a\"\nbudget = \"4G\"\n";
  for (const char* name : {"x", "y"}) {
    text += fmt::format("[[client]]\nname = \"{}\"\naccount = \"16777215T\"\n", name);
  }
  EXPECT_NE(problems_with(text).find("the budget of 4G is less than the clients' accounts"),
            std::string::npos);
}

}  // namespace
}  // namespace cede::supervisor
