// SPDX-License-Identifier: Apache-2.0
#include "driver_vm/block/volume.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "driver_vm/setup_error.h"

namespace cede::driver {
namespace {

class VolumeMaker {
 public:
  VolumeMaker(const DiskFacts& disk, const std::string& disk_name, const DiskReader& read)
      : disk_(disk), disk_name_(disk_name), read_(read) {}

  [[nodiscard]] Volume make(const ExportSpec& spec) {
    Volume volume{.device = spec.device,
                  .name = spec.name,
                  .offset = spec.offset,
                  .read_only = spec.read_only,
                  .weight = spec.weight,
                  .iops = spec.iops,
                  .bps = spec.bps};
    if (!spec.partition.empty()) {
      const GptPartition& partition = find_partition(spec);
      volume.offset = partition.offset;
      volume.length = partition.length;
    } else {
      const std::uint64_t rest = spec.offset < disk_.bytes ? disk_.bytes - spec.offset : 0;
      volume.length = spec.length.value_or(rest);
    }
    set_serial(volume, spec.serial);
    check(volume);
    return volume;
  }

  void check_pair(const Volume& one, const Volume& other) const {
    if (one.device == other.device) {
      fail(one, fmt::format("device {} is export {} already", one.device, other.name));
    }
    const bool apart = one.offset >= other.offset ? one.offset - other.offset >= other.length
                                                  : other.offset - one.offset >= one.length;
    if (!apart && !one.read_only && !other.read_only) {
      fail(one, fmt::format("overlaps export {} (offset {}, length {}), and both are writable",
                            other.name, other.offset, other.length));
    }
  }

 private:
  [[noreturn]] void fail(const Volume& volume, const std::string& what) const {
    throw SetupError(fmt::format("export {} (offset {}, length {}) of disk {} ({} bytes): {}",
                                 volume.name, volume.offset, volume.length, disk_name_, disk_.bytes,
                                 what));
  }

  void check(const Volume& volume) const {
    if (volume.offset > disk_.bytes || volume.length > disk_.bytes - volume.offset) {
      fail(volume, "reaches beyond the disk");
    }
    if (volume.length == 0) fail(volume, "is empty");
    if (volume.offset % disk_.logical_block != 0 || volume.length % disk_.logical_block != 0) {
      fail(volume, fmt::format("is not a multiple of the logical block, {}", disk_.logical_block));
    }
    if (disk_.read_only && !volume.read_only) {
      fail(volume, "the disk is read-only; say read_only");
    }
  }

  [[nodiscard]] const GptPartition& find_partition(const ExportSpec& spec) {
    if (!partitions_) {
      Result<std::vector<GptPartition>> table = read_gpt(read_, disk_.bytes, disk_.logical_block);
      if (!table) {
        throw SetupError(fmt::format(
            "export {}: disk {} ({} bytes) has no sound GPT in blocks of {}; give offset and "
            "length, or the right logical block",
            spec.name, disk_name_, disk_.bytes, disk_.logical_block));
      }
      partitions_ = *std::move(table);
    }
    const auto named = [&spec](const GptPartition& p) { return p.name == spec.partition; };
    const auto count = std::ranges::count_if(*partitions_, named);
    if (count != 1) {
      throw SetupError(fmt::format("export {}: disk {} has {} partition named '{}'", spec.name,
                                   disk_name_, count == 0 ? "no" : "more than one",
                                   spec.partition));
    }
    return *std::ranges::find_if(*partitions_, named);
  }

  // By default the name, where it fits; else its beginning and a hash, to keep it unique. A slash
  // would end up in paths like /dev/disk/by-id.
  static void set_serial(Volume& volume, std::string serial) {
    if (serial.empty()) {
      serial = volume.name;
      if (serial.size() > VIRTIO_BLK_ID_BYTES) {
        std::uint32_t fnv1a = 2166136261U;
        for (const char c : serial) fnv1a = (fnv1a ^ static_cast<unsigned char>(c)) * 16777619U;
        serial = fmt::format("{}-{:08x}", serial.substr(0, VIRTIO_BLK_ID_BYTES - 9), fnv1a);
      }
      std::ranges::replace(serial, '/', '-');
    }
    std::ranges::copy(serial, volume.serial.begin());
  }

  const DiskFacts& disk_;
  const std::string& disk_name_;
  const DiskReader& read_;
  std::optional<std::vector<GptPartition>> partitions_;
};

}  // namespace

std::vector<Volume> make_volumes(std::span<const ExportSpec> specs, const DiskFacts& disk,
                                 const std::string& disk_name, const DiskReader& read) {
  VolumeMaker maker(disk, disk_name, read);
  std::vector<Volume> volumes;
  for (const ExportSpec& spec : specs) {
    Volume volume = maker.make(spec);
    for (const Volume& other : volumes) maker.check_pair(volume, other);
    volumes.push_back(std::move(volume));
  }
  return volumes;
}

}  // namespace cede::driver
