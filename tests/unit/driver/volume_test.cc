// SPDX-License-Identifier: Apache-2.0
#include "driver_vm/block/volume.h"

#include <gtest/gtest.h>

#include <string>

#include "driver_vm/setup_error.h"

namespace cede::driver {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;
const DiskFacts kDisk{.bytes = 64 * kMiB, .logical_block = 512, .physical_block = 4096};

std::vector<Volume> make(const std::vector<std::string>& exports, const DiskFacts& disk = kDisk) {
  std::vector<ExportSpec> specs;
  for (const std::string& text : exports) specs.push_back(parse_export(text));
  return make_volumes(specs, disk, "disk.img",
                      [](std::uint64_t, std::span<std::byte>) { return false; });
}

// The one-line message of a set of exports that cannot be served.
std::string refusal(const std::vector<std::string>& exports, const DiskFacts& disk = kDisk) {
  try {
    (void)make(exports, disk);
  } catch (const SetupError& error) {
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    return error.what();
  }
  return "(none)";
}

TEST(Volumes, EveryOptionArrives) {
  const auto volumes =
      make({"device=3,name=alice/vda,offset=1048576,length=2097152,read_only,"
            "weight=7,iops=100,bps=200,serial=S123"});
  ASSERT_EQ(volumes.size(), 1U);
  const Volume& volume = volumes[0];
  EXPECT_EQ(volume.device, 3U);
  EXPECT_EQ(volume.name, "alice/vda");
  EXPECT_EQ(volume.offset, kMiB);
  EXPECT_EQ(volume.length, 2 * kMiB);
  EXPECT_TRUE(volume.read_only);
  EXPECT_EQ(volume.weight, 7U);
  EXPECT_EQ(volume.iops, 100U);
  EXPECT_EQ(volume.bps, 200U);
  EXPECT_EQ(std::string(volume.serial.data()), "S123");
}

TEST(Volumes, WithoutAnExtentTheWholeDiskIsMeant) {
  EXPECT_EQ(make({"device=0,name=a"})[0].length, 64 * kMiB);
  EXPECT_EQ(make({"device=0,name=a,offset=1048576"})[0].length, 63 * kMiB);
}

TEST(Volumes, NeighboursDoNotOverlap) {
  EXPECT_EQ(make({"device=0,name=a,offset=0,length=1048576",
                  "device=1,name=b,offset=1048576,length=1048576"})
                .size(),
            2U);
}

TEST(Volumes, ReadersMayShareAnExtent) {
  EXPECT_EQ(make({"device=0,name=a,read_only", "device=1,name=b,read_only"}).size(), 2U);
}

TEST(Volumes, TwoWritersMayNotShareABlock) {
  EXPECT_EQ(refusal({"device=0,name=a,offset=0,length=1049088",
                     "device=1,name=b,offset=1048576,length=1048576"}),
            "export b (offset 1048576, length 1048576) of disk disk.img (67108864 bytes): overlaps "
            "export a (offset 0, length 1049088), and both are writable");
  EXPECT_NE(refusal({"device=0,name=a", "device=1,name=b,offset=1048576,length=512"}), "(none)");
  EXPECT_NE(refusal({"device=1,name=b,offset=1048576,length=512", "device=0,name=a"}), "(none)");
}

TEST(Volumes, NothingReachesBeyondTheDisk) {
  EXPECT_EQ(
      refusal({"device=0,name=a,offset=0,length=67109376"}),
      "export a (offset 0, length 67109376) of disk disk.img (67108864 bytes): reaches beyond "
      "the disk");
  EXPECT_NE(refusal({"device=0,name=a,offset=67108864"}), "(none)");
  EXPECT_NE(refusal({"device=0,name=a,offset=18446744073709551104,length=1024"}), "(none)");
  EXPECT_NE(refusal({"device=0,name=a,offset=512,length=18446744073709551104"}), "(none)");
}

TEST(Volumes, ExtentsAreWholeBlocks) {
  EXPECT_NE(refusal({"device=0,name=a,offset=100,length=512"}), "(none)");
  EXPECT_NE(refusal({"device=0,name=a,offset=0,length=513"}), "(none)");
  DiskFacts large = kDisk;
  large.logical_block = 4096;
  EXPECT_NE(refusal({"device=0,name=a,offset=512,length=4096"}, large), "(none)");
}

TEST(Volumes, AReadOnlyDiskHasReadOnlyVolumes) {
  DiskFacts fixed = kDisk;
  fixed.read_only = true;
  EXPECT_NE(refusal({"device=0,name=a"}, fixed).find("say read_only"), std::string::npos);
  EXPECT_EQ(make({"device=0,name=a,read_only"}, fixed).size(), 1U);
}

TEST(Volumes, DeviceNumbersAreUnique) {
  EXPECT_NE(refusal({"device=0,name=a,read_only", "device=0,name=b,read_only"})
                .find("device 0 is export a already"),
            std::string::npos);
}

TEST(Volumes, APartitionNeedsATable) {
  EXPECT_NE(refusal({"device=0,name=a,partition=root"}).find("no sound GPT"), std::string::npos);
}

TEST(Volumes, SerialsAreTheNameOrAHashedPrefixOfIt) {
  const auto serial = [](const std::string& name) {
    const auto volumes = make({"device=0,name=" + name});
    return std::string(volumes[0].serial.data(),
                       ::strnlen(volumes[0].serial.data(), VIRTIO_BLK_ID_BYTES));
  };
  EXPECT_EQ(serial("alice/vda"), "alice-vda");
  EXPECT_EQ(serial("exactly-20-bytes-abc"), "exactly-20-bytes-abc");
  const std::string one = serial("a-very-long-client-name/vda");
  const std::string other = serial("a-very-long-client-name/vdb");
  EXPECT_EQ(one.size(), static_cast<std::size_t>(VIRTIO_BLK_ID_BYTES));
  EXPECT_TRUE(one.starts_with("a-very-long-"));
  EXPECT_NE(one, other);
}

TEST(ExportSpecs, WhatCannotBeMeantIsRefusedWithTheText) {
  for (const char* text : {"",
                           "device=0",
                           "name=a",
                           "device=256,name=a",
                           "device=-1,name=a",
                           "device=0x1,name=a",
                           "device=0,name=a,weight=0",
                           "device=0,name=a,weight=101",
                           "device=0,name=a,length=0",
                           "device=0,name=a,length=",
                           "device=0,name=",
                           "device=0,name=a,color=red",
                           "device=0,name=a,read_only=1",
                           "device=0,name=a,writable",
                           "device=0,name=a,device=1",
                           "device=0,name=a,partition=p,offset=0",
                           "device=0,name=a,iops=1e9",
                           "device=0,name=a,offset=18446744073709551616",
                           "device=0,name=a,,",
                           "device=0,name=a,serial=123456789012345678901"}) {
    try {
      (void)parse_export(text);
      ADD_FAILURE() << "accepted: " << text;
    } catch (const SetupError& error) {
      EXPECT_TRUE(std::string(error.what()).starts_with("--export '" + std::string(text) + "': "))
          << error.what();
    }
  }
}

}  // namespace
}  // namespace cede::driver
