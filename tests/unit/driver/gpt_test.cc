// SPDX-License-Identifier: Apache-2.0
// The parser against sgdisk's tables, whole and damaged.
#include "driver_vm/block/gpt.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

namespace cede::driver {
namespace {

constexpr std::size_t kDisk = 4 << 20;
constexpr std::size_t kBlock = 512;

// A disk image in memory, partitioned by sgdisk with these arguments.
std::vector<std::byte> partitioned(std::vector<std::string> arguments) {
  std::string path = "/tmp/cede-gpt-test-XXXXXX";
  const int fd = ::mkstemp(path.data());
  EXPECT_EQ(::ftruncate(fd, kDisk), 0);
  arguments.insert(arguments.begin(), SGDISK);
  arguments.push_back(path);
  std::vector<char*> raw;
  for (std::string& argument : arguments) raw.push_back(argument.data());
  raw.push_back(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(::open("/dev/null", O_WRONLY), STDOUT_FILENO);
    ::execv(raw[0], raw.data());
    ::_exit(127);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0) << "sgdisk failed";
  std::vector<std::byte> image(kDisk);
  EXPECT_EQ(::pread(fd, image.data(), kDisk, 0), static_cast<ssize_t>(kDisk));
  ::close(fd);
  ::unlink(path.c_str());
  return image;
}

Result<std::vector<GptPartition>> parse(const std::vector<std::byte>& image,
                                        std::uint32_t block = kBlock) {
  const DiskReader read = [&image](std::uint64_t offset, std::span<std::byte> into) {
    if (offset > image.size() || into.size() > image.size() - offset) return false;
    std::memcpy(into.data(), image.data() + offset, into.size());
    return true;
  };
  return read_gpt(read, image.size(), block);
}

// CRC-32 bit by bit, as the specification words it.
std::uint32_t crc32(std::span<const std::byte> bytes) {
  std::uint32_t crc = UINT32_MAX;
  for (const std::byte byte : bytes) {
    crc ^= static_cast<std::uint32_t>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (0xEDB88320U & (0U - (crc & 1)));
  }
  return ~crc;
}

// Makes the primary header's own checksum hold, or both of its checksums.
void seal_header(std::vector<std::byte>& image) {
  std::memset(image.data() + kBlock + 16, 0, 4);
  const std::uint32_t crc = crc32(std::span(image).subspan(kBlock, 92));
  std::memcpy(image.data() + kBlock + 16, &crc, sizeof crc);
}
void seal_entries(std::vector<std::byte>& image) {
  const std::uint32_t crc = crc32(std::span(image).subspan(2 * kBlock, 128 * 128));
  std::memcpy(image.data() + kBlock + 88, &crc, sizeof crc);
  seal_header(image);
}

class Gpt : public testing::Test {
 protected:
  // sgdisk takes a second each time: one table for all tests.
  static const std::vector<std::byte>& two_partitions() {
    static const std::vector<std::byte> image =
        partitioned({"-o", "-n", "1:2048:4095", "-c", "1:alice", "-n", "2:4096:6143", "-c",
                     "2:bob \xc3\xa9\xe2\x82\xac"});
    return image;
  }

  std::vector<std::byte> image_ = two_partitions();
  static constexpr std::size_t kPrimary = kBlock;
  static constexpr std::size_t kBackup = kDisk - kBlock;
  static constexpr std::size_t kPrimaryEntries = 2 * kBlock;

  void damage(std::size_t offset) { image_[offset] ^= std::byte{0x40}; }
  void expect_the_two_partitions() {
    const auto partitions = parse(image_);
    ASSERT_TRUE(partitions);
    ASSERT_EQ(partitions->size(), 2U);
    EXPECT_EQ((*partitions)[0].name, "alice");
    EXPECT_EQ((*partitions)[0].offset, 2048 * kBlock);
    EXPECT_EQ((*partitions)[0].length, 2048 * kBlock);
    EXPECT_EQ((*partitions)[1].name, "bob \xc3\xa9\xe2\x82\xac");
  }
};

TEST_F(Gpt, NamesAndExtentsAreWhatSgdiskWrote) {
  expect_the_two_partitions();
}

TEST_F(Gpt, ABrokenPrimaryHeaderGivesWayToTheBackup) {
  damage(kPrimary + 40);
  expect_the_two_partitions();
}

TEST_F(Gpt, BrokenPrimaryEntriesGiveWayToTheBackup) {
  damage(kPrimaryEntries + 56);
  expect_the_two_partitions();
}

TEST_F(Gpt, AWipedPrimaryGivesWayToTheBackup) {
  std::fill_n(image_.begin(), 34 * kBlock, std::byte{0});
  expect_the_two_partitions();
}

TEST_F(Gpt, WithBothHeadersBrokenThereIsNoTable) {
  damage(kPrimary + 40);
  damage(kBackup + 40);
  EXPECT_FALSE(parse(image_));
}

TEST_F(Gpt, AnUnpartitionedDiskHasNoTable) {
  EXPECT_FALSE(parse(std::vector<std::byte>(kDisk)));
  EXPECT_FALSE(parse(std::vector<std::byte>(kBlock)));
  EXPECT_FALSE(parse({}));
}

TEST_F(Gpt, TheWrongBlockSizeFindsNoTable) {
  EXPECT_FALSE(parse(image_, 4096));
}

// The checksum holds, so only the bounds protect: every field of the header, with hostile values.
class GptHostile : public Gpt {
 protected:
  template <class T>
  void set(std::size_t header_offset, T value) {
    std::fill_n(image_.begin() + kBackup, kBlock, std::byte{0});
    std::memcpy(image_.data() + kPrimary + header_offset, &value, sizeof value);
    seal_header(image_);
  }
};

TEST_F(GptHostile, TheChecksumOfThisTestIsTheRightOne) {
  seal_entries(image_);
  expect_the_two_partitions();
}

TEST_F(GptHostile, FieldsOutOfTheirRangeMakeNoTable) {
  const auto rejected = [this](std::size_t offset, auto value) {
    const std::vector<std::byte> sound = image_;
    set(offset, value);
    EXPECT_FALSE(parse(image_)) << "at " << offset << ": " << value;
    image_ = sound;
  };
  for (const std::uint32_t bytes : {0U, 91U, 513U, UINT32_MAX}) rejected(12, bytes);
  for (const std::uint64_t block : {0ULL, 2ULL, ~0ULL}) rejected(24, block);        // own block
  for (const std::uint64_t block : {8192ULL, ~0ULL}) rejected(48, block);           // last usable
  for (const std::uint64_t block : {8190ULL, 8192ULL, ~0ULL}) rejected(72, block);  // entries
  for (const std::uint32_t count : {0U, 127U, 1025U, UINT32_MAX}) rejected(80, count);
  for (const std::uint32_t bytes : {0U, 64U, 127U, 129U, 4104U, UINT32_MAX}) rejected(84, bytes);
  rejected(40, std::uint64_t{3000});  // first usable: beyond the first partition
}

TEST_F(GptHostile, NoisyTablesDoNoHarm) {
  std::mt19937 random(4711);
  const std::vector<std::byte> sound = image_;
  for (int round = 0; round < 2000; ++round) {
    for (int i = 0; i < 8; ++i) {
      image_[kPrimary + random() % (34 * kBlock)] = static_cast<std::byte>(random());
      image_[kBackup + random() % kBlock] = static_cast<std::byte>(random());
    }
    if (round % 2 == 0) seal_entries(image_);
    if (const auto partitions = parse(image_)) {
      for (const GptPartition& partition : *partitions) {
        ASSERT_LE(partition.offset, kDisk);
        ASSERT_LE(partition.length, kDisk - partition.offset);
      }
    }
    std::copy_n(sound.begin(), kPrimary + 34 * kBlock, image_.begin());
    std::copy(sound.begin() + kBackup, sound.end(), image_.begin() + kBackup);
  }
}

TEST(GptNames, UnpairedSurrogatesBecomeReplacements) {
  std::vector<std::byte> image = partitioned({"-o", "-n", "1:2048:4095", "-c", "1:xy"});
  const std::uint16_t name[] = {0xD83D, 0xDE00, 0xDC00, 'z', 0xD800, 0};
  std::memcpy(image.data() + 2 * kBlock + 56, name, sizeof name);
  seal_entries(image);
  const auto partitions = parse(image);
  ASSERT_TRUE(partitions);
  EXPECT_EQ(partitions->at(0).name, "\xF0\x9F\x98\x80\xEF\xBF\xBDz\xEF\xBF\xBD");
}

}  // namespace
}  // namespace cede::driver
