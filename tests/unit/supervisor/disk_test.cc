// SPDX-License-Identifier: Apache-2.0
#include "vmm/supervisor/disk.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "tests/unit/supervisor/support.h"

namespace cede::supervisor {
namespace {

System system_on(const std::vector<std::string>& disks, bool read_only = false,
                 const char* size = "1M") {
  std::string text = "name = \"a\"\nbudget = 4096\n";
  for (std::size_t i = 0; i < disks.size(); ++i) {
    text += fmt::format(
        "[[driver]]\nname = \"d{}\"\nkind = \"block\"\ndisk = \"{}\"\n"
        "[[driver.volume]]\nname = \"v\"\noffset = \"1M\"\nsize = \"{}\"\nread_only = {}\n",
        i, disks[i], size, read_only);
  }
  Problems problems;
  System system = parse_system(text, "/f", problems);
  EXPECT_EQ(lines(problems), "");
  return system;
}

std::string problems_with(const System& system) {
  Problems problems;
  (void)open_disks(system, problems);
  return lines(problems);
}

TEST(Disks, AnImageThatHoldsItsVolumesIsOpenedAndMeasured) {
  const TemporaryDirectory directory;
  Problems problems;
  const auto disks = open_disks(system_on({directory.file("disk.img", 2 << 20)}), problems);
  EXPECT_EQ(lines(problems), "");
  ASSERT_EQ(disks.size(), 1U);
  EXPECT_EQ(disks[0].bytes, 2U << 20);
  EXPECT_EQ(::fcntl(disks[0].fd.get(), F_GETFL) & O_ACCMODE, O_RDWR);
}

TEST(Disks, WithoutAWritableVolumeNothingIsOpenedForWriting) {
  const TemporaryDirectory directory;
  Problems problems;
  const auto disks = open_disks(system_on({directory.file("disk.img", 2 << 20)}, true), problems);
  ASSERT_EQ(lines(problems), "");
  EXPECT_EQ(::fcntl(disks[0].fd.get(), F_GETFL) & O_ACCMODE, O_RDONLY);
}

TEST(Disks, AMissingImageIsSaidToBeSo) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() / "none.img";
  EXPECT_EQ(problems_with(system_on({path})),
            fmt::format("f:6:8: the disk '{0}' does not exist; make it, for example with: truncate "
                        "-s 1G {0}\n",
                        path));
}

TEST(Disks, ADirectoryIsNoDisk) {
  const TemporaryDirectory directory;
  EXPECT_EQ(problems_with(system_on({directory.path()})),
            fmt::format("f:6:8: the disk '{}' is neither a file nor a block device; name a disk "
                        "image\n",
                        directory.path().string()));
}

TEST(Disks, AVolumeOutsideItsDiskIsRefused) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("disk.img", (2 << 20) - 1);
  EXPECT_EQ(
      problems_with(system_on({path})),
      fmt::format("f:10:8: volume 'v' ends at byte 2097152, outside its disk of 2097151; make "
                  "the volume smaller, or the disk larger: truncate -s 2097152 {}\n",
                  path));
}

TEST(Disks, AnImageThatSomebodyElseWritesIsLocked) {
  const TemporaryDirectory directory;
  const System system = system_on({directory.file("disk.img", 2 << 20)});
  const std::string locked = fmt::format(
      "f:6:8: the disk '{}' is locked by another process; stop the system or the VM "
      "that uses it (lslocks names the process)\n",
      (directory.path() / "disk.img").string());
  {
    Problems problems;
    const auto first = open_disks(system, problems);
    EXPECT_EQ(lines(problems), "");
    EXPECT_EQ(problems_with(system), locked);
  }
  EXPECT_EQ(problems_with(system), "") << "the lock goes with its holder";
}

TEST(Disks, ALockThatIsAboutToGoIsWaitedFor) {
  const TemporaryDirectory directory;
  const System system = system_on({directory.file("disk.img", 2 << 20)});
  Problems problems;
  auto first = open_disks(system, problems);
  std::thread holder([&first] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    first.clear();
  });
  (void)open_disks(system, problems, std::chrono::seconds(20));
  holder.join();
  EXPECT_EQ(lines(problems), "");
}

TEST(Disks, ReadersShareAnImageAndKeepWritersOut) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("disk.img", 2 << 20);
  Problems problems;
  const auto reader = open_disks(system_on({path}, true), problems);
  EXPECT_EQ(problems_with(system_on({path}, true)), "");
  EXPECT_NE(problems_with(system_on({path})).find("is locked by another process"),
            std::string::npos);
}

TEST(Disks, TwoDriversCannotHaveOneDiskByTwoNames) {
  const TemporaryDirectory directory;
  const auto path = directory.file("disk.img", 2 << 20);
  const auto link = directory.path() / "link.img";
  std::filesystem::create_symlink(path, link);
  EXPECT_EQ(
      problems_with(system_on({path, link})),
      fmt::format("f:15:8: the disk '{}' belongs to driver 'd0' already; put all volumes of a "
                  "disk under one driver\n",
                  link.string()));
}

}  // namespace
}  // namespace cede::supervisor
