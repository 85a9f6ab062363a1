// SPDX-License-Identifier: Apache-2.0
#include "frontend/vhost_user/blk_config.h"

#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "frontend/vhost_user/virtio_ring.h"

namespace cede::vhost_user {

namespace {

// Segments of one request: what fits a ring of 128 beside header and status, as in QEMU.
constexpr std::uint32_t kMaxSegments = 126;

bool offers(const BlkRules& rules, std::uint32_t feature) noexcept {
  return (rules.info.features & feature) != 0;
}

bool read_only(const BlkRules& rules) noexcept {
  return rules.read_only || offers(rules, block::Info::kReadOnly);
}

bool offers_erase(const BlkRules& rules, std::uint32_t feature) noexcept {
  return offers(rules, feature) && rules.info.max_erase != 0 && !read_only(rules);
}

}  // namespace

std::uint64_t blk_features(const BlkRules& rules, std::uint16_t queues) noexcept {
  std::uint64_t features = bit(VIRTIO_F_VERSION_1) | bit(kFeatureIndirect) |
                           bit(kFeatureEventIndex) | bit(kFeatureProtocolFeatures) |
                           bit(VIRTIO_BLK_F_SEG_MAX) | bit(VIRTIO_BLK_F_BLK_SIZE) |
                           bit(VIRTIO_BLK_F_TOPOLOGY);
  if (queues > 1) features |= bit(VIRTIO_BLK_F_MQ);
  if (read_only(rules)) features |= bit(VIRTIO_BLK_F_RO);
  if (offers(rules, block::Info::kFlush)) features |= bit(VIRTIO_BLK_F_FLUSH);
  if (offers_erase(rules, block::Info::kDiscard)) features |= bit(VIRTIO_BLK_F_DISCARD);
  if (offers_erase(rules, block::Info::kWriteZeroes)) features |= bit(VIRTIO_BLK_F_WRITE_ZEROES);
  return features;
}

std::array<std::byte, kMaxConfigBytes> blk_config(const BlkRules& rules,
                                                  std::uint16_t queues) noexcept {
  const block::Info& info = rules.info;
  const std::uint32_t ratio = info.physical_block / info.logical_block;
  const std::uint32_t erase_sectors = info.max_erase / block::kSectorBytes;
  virtio_blk_config config{};
  config.capacity = info.sectors;
  config.seg_max = kMaxSegments;
  config.blk_size = info.logical_block;
  config.physical_block_exp = static_cast<__u8>(std::countr_zero(ratio));
  config.min_io_size = static_cast<__u16>(ratio);
  config.num_queues = queues;
  if (offers_erase(rules, block::Info::kDiscard)) {
    config.max_discard_sectors = erase_sectors;
    config.max_discard_seg = kMaxEraseRanges;
    config.discard_sector_alignment = info.physical_block / block::kSectorBytes;
  }
  if (offers_erase(rules, block::Info::kWriteZeroes)) {
    config.max_write_zeroes_sectors = erase_sectors;
    config.max_write_zeroes_seg = kMaxEraseRanges;
    config.write_zeroes_may_unmap = offers(rules, block::Info::kDiscard) ? 1 : 0;
  }
  static_assert(sizeof config <= kMaxConfigBytes);
  std::array<std::byte, kMaxConfigBytes> space{};
  std::memcpy(space.data(), &config, sizeof config);
  return space;
}

}  // namespace cede::vhost_user
