// SPDX-License-Identifier: Apache-2.0
// Any bytes as a disk with a partition table. The checksums keep a fuzzer out, so the first byte
// may ask for correct ones; what the table says is then believed exactly as far as it is sound.
#include <boost/crc.hpp>
#include <vector>

#include "driver_vm/block/gpt.h"
#include "tests/fuzz/fuzz_input.h"

using namespace cede;        // NOLINT: a fuzz target is one function
using namespace cede::fuzz;  // NOLINT

namespace {

constexpr std::size_t kMaxDisk = 64 << 10;

template <class T>
T read_at(const std::vector<std::uint8_t>& disk, std::size_t offset) {
  T value{};
  std::memcpy(&value, disk.data() + offset, sizeof value);
  return value;
}

std::uint32_t crc32(const std::uint8_t* data, std::size_t size) {
  boost::crc_32_type crc;
  crc.process_bytes(data, size);
  return crc.checksum();
}

// UEFI 2.10, table 5-5: entries_crc at 88, header_crc at 16, over header_bytes (at 12).
void correct_checksums(std::vector<std::uint8_t>& disk, std::uint32_t block, std::size_t header) {
  if (header + 92 > disk.size()) return;
  const auto entries = read_at<std::uint64_t>(disk, header + 72);
  const std::uint64_t bytes = std::uint64_t{read_at<std::uint32_t>(disk, header + 80)} *
                              read_at<std::uint32_t>(disk, header + 84);
  if (entries < disk.size() / block && bytes <= disk.size() - entries * block) {
    const std::uint32_t crc = crc32(disk.data() + entries * block, bytes);
    std::memcpy(disk.data() + header + 88, &crc, sizeof crc);
  }
  const auto header_bytes = read_at<std::uint32_t>(disk, header + 12);
  if (header_bytes > disk.size() - header) return;
  std::memset(disk.data() + header + 16, 0, 4);
  const std::uint32_t crc = crc32(disk.data() + header, header_bytes);
  std::memcpy(disk.data() + header + 16, &crc, sizeof crc);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  const auto flags = input.take<std::uint8_t>();
  const std::uint32_t block = (flags & 1) != 0 ? 4096 : 512;
  const auto bytes = input.take_bytes(kMaxDisk);
  std::vector<std::uint8_t> disk(bytes.begin(), bytes.end());
  if ((flags & 2) != 0) {
    correct_checksums(disk, block, block);
    if (disk.size() >= block) correct_checksums(disk, block, (disk.size() / block - 1) * block);
  }

  const driver::DiskReader reader = [&](std::uint64_t offset, std::span<std::byte> into) {
    require(offset <= disk.size() && into.size() <= disk.size() - offset, "reads within the disk");
    std::memcpy(into.data(), disk.data() + offset, into.size());
    return true;
  };
  const auto partitions = driver::read_gpt(reader, disk.size(), block);
  if (!partitions) return 0;
  for (const driver::GptPartition& partition : *partitions) {
    require(partition.length != 0 && partition.offset <= disk.size() &&
                partition.length <= disk.size() - partition.offset,
            "a partition is within the disk");
    require(partition.offset % block == 0 && partition.length % block == 0, "whole blocks");
    require(partition.name.size() <= 36 * 3, "a name of 36 units");
  }
  return 0;
}
