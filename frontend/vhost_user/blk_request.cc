// SPDX-License-Identifier: Apache-2.0
#include "frontend/vhost_user/blk_request.h"

#include <algorithm>

namespace cede::vhost_user {

namespace {

// Is [sector, sector + bytes) on the volume and made of whole logical blocks?
bool on_volume(const block::Info& info, std::uint64_t sector, std::uint64_t bytes) noexcept {
  const std::uint64_t block_sectors = info.logical_block / block::kSectorBytes;
  return bytes % info.logical_block == 0 && sector % block_sectors == 0 && sector <= info.sectors &&
         bytes / block::kSectorBytes <= info.sectors - sector;
}

}  // namespace

bool BlkRequest::prepare(const GuestMemory& memory, const BlkRules& rules) {
  ranges_.clear();
  flush_after_ = false;
  refusal_ = VIRTIO_BLK_S_OK;
  bytes_ = end_ = sector_ = 0;
  kind_ = Kind::Flush;
  restart();
  virtio_blk_outhdr header{};
  if (chain_.writable.bytes() == 0 ||
      !chain_.readable.read(memory, 0, std::as_writable_bytes(std::span(&header, 1)))) {
    return false;
  }
  sector_ = header.sector;
  const bool read_only = rules.read_only || (rules.info.features & block::Info::kReadOnly) != 0;
  switch (header.type) {
    case VIRTIO_BLK_T_IN:
      kind_ = Kind::Read;
      prepare_data(rules, chain_.writable.bytes() - 1);
      break;
    case VIRTIO_BLK_T_OUT:
      kind_ = Kind::Write;
      flush_after_ = rules.write_through && (rules.info.features & block::Info::kFlush) != 0;
      prepare_data(rules, chain_.readable.bytes() - sizeof header);
      if (read_only) refuse(VIRTIO_BLK_S_IOERR);
      break;
    case VIRTIO_BLK_T_FLUSH:
      if ((rules.info.features & block::Info::kFlush) != 0) end_ = 1;
      break;
    case VIRTIO_BLK_T_DISCARD:
    case VIRTIO_BLK_T_WRITE_ZEROES:
      kind_ = header.type == VIRTIO_BLK_T_DISCARD ? Kind::Discard : Kind::WriteZeroes;
      prepare_erase(memory, rules);
      if (read_only) refuse(VIRTIO_BLK_S_IOERR);
      break;
    case VIRTIO_BLK_T_GET_ID:
      kind_ = Kind::GetId;
      prepare_id(memory, rules);
      break;
    default:
      refuse(VIRTIO_BLK_S_UNSUPP);
  }
  return true;
}

void BlkRequest::prepare_data(const BlkRules& rules, std::uint64_t bytes) noexcept {
  if (!on_volume(rules.info, sector_, bytes)) return refuse(VIRTIO_BLK_S_IOERR);
  bytes_ = end_ = bytes;
}

void BlkRequest::prepare_erase(const GuestMemory& memory, const BlkRules& rules) {
  const bool discard = kind_ == Kind::Discard;
  const std::uint32_t feature = discard ? block::Info::kDiscard : block::Info::kWriteZeroes;
  const std::uint64_t bytes = chain_.readable.bytes() - sizeof(virtio_blk_outhdr);
  constexpr std::size_t kRangeBytes = sizeof(virtio_blk_discard_write_zeroes);
  if ((rules.info.features & feature) == 0) return refuse(VIRTIO_BLK_S_UNSUPP);
  if (bytes == 0 || bytes % kRangeBytes != 0 || bytes / kRangeBytes > kMaxEraseRanges) {
    return refuse(VIRTIO_BLK_S_IOERR);
  }
  ranges_.resize(bytes / kRangeBytes);
  if (!chain_.readable.read(memory, sizeof(virtio_blk_outhdr),
                            std::as_writable_bytes(std::span(ranges_)))) {
    return refuse(VIRTIO_BLK_S_IOERR);
  }
  for (const auto& range : ranges_) {
    const std::uint32_t allowed = discard ? 0 : VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP;
    if ((range.flags & ~allowed) != 0) return refuse(VIRTIO_BLK_S_UNSUPP);
    const std::uint64_t length = std::uint64_t{range.num_sectors} * block::kSectorBytes;
    if (length == 0 || length > rules.info.max_erase ||
        !on_volume(rules.info, range.sector, length)) {
      return refuse(VIRTIO_BLK_S_IOERR);
    }
  }
  end_ = ranges_.size();
}

void BlkRequest::prepare_id(const GuestMemory& memory, const BlkRules& rules) noexcept {
  const std::uint64_t room = chain_.writable.bytes() - 1;
  bytes_ = std::min<std::uint64_t>(room, VIRTIO_BLK_ID_BYTES);
  const auto serial = std::as_bytes(std::span(rules.info.serial)).first(bytes_);
  if (!chain_.writable.write(memory, 0, serial)) refuse(VIRTIO_BLK_S_IOERR);
}

void BlkRequest::refuse(std::uint8_t status) noexcept {
  refusal_ = status_ = status;
  end_ = 0;
  flush_after_ = false;
}

bool BlkRequest::has_step() const noexcept {
  if (next_ < end_) return true;
  return flush_after_ && !flushing_ && running_ == 0 && status_ == VIRTIO_BLK_S_OK;
}

BlkRequest::Step BlkRequest::step(std::uint32_t max_bytes) const noexcept {
  if (next_ == end_ || kind_ == Kind::Flush) return {.kind = Kind::Flush};
  if (!ranges_.empty()) {
    const auto& range = ranges_[next_];
    return {.kind = kind_,
            .sector = range.sector,
            .bytes = range.num_sectors * block::kSectorBytes,
            .unmap = (range.flags & VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP) != 0};
  }
  return {.kind = kind_,
          .sector = sector_ + next_ / block::kSectorBytes,
          .offset = next_,
          .bytes = static_cast<std::uint32_t>(std::min<std::uint64_t>(max_bytes, end_ - next_))};
}

void BlkRequest::started(const Step& step) noexcept {
  ++running_;
  if (next_ == end_) {
    flushing_ = true;
  } else {
    next_ += kind_ == Kind::Read || kind_ == Kind::Write ? step.bytes : 1;
  }
}

void BlkRequest::finished_step(std::uint32_t status) noexcept {
  --running_;
  if (status != VIRTIO_BLK_S_OK) fail(status);
}

void BlkRequest::fail(std::uint32_t status) noexcept {
  status_ = status == VIRTIO_BLK_S_UNSUPP ? VIRTIO_BLK_S_UNSUPP : VIRTIO_BLK_S_IOERR;
  next_ = end_;
}

void BlkRequest::restart() noexcept {
  next_ = 0;
  running_ = 0;
  flushing_ = false;
  status_ = refusal_;
}

std::uint32_t BlkRequest::answer(const GuestMemory& memory) const noexcept {
  const std::uint64_t last = chain_.writable.bytes() - 1;
  (void)chain_.writable.write(memory, last, std::as_bytes(std::span(&status_, 1)));
  const bool data = (kind_ == Kind::Read || kind_ == Kind::GetId) && status_ == VIRTIO_BLK_S_OK;
  return static_cast<std::uint32_t>(data ? bytes_ + 1 : 1);
}

}  // namespace cede::vhost_user
