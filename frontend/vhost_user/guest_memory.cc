// SPDX-License-Identifier: Apache-2.0
#include "frontend/vhost_user/guest_memory.h"

#include <algorithm>
#include <cstring>
#include <limits>

namespace cede::vhost_user {

namespace {

constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();

bool overlaps(std::uint64_t a, std::uint64_t a_size, std::uint64_t b,
              std::uint64_t b_size) noexcept {
  return a < b ? b - a < a_size : a - b < b_size;
}

bool same(const MemoryRegion& a, const MemoryRegion& b) noexcept {
  return a.guest_address == b.guest_address && a.user_address == b.user_address && a.size == b.size;
}

}  // namespace

Status GuestMemory::add(const MemoryRegion& region, const Fd& file) {
  if (region.size == 0 || region.guest_address > kMax - region.size ||
      region.user_address > kMax - region.size) {
    return Status::Invalid;
  }
  for (const Region& other : regions_) {
    if (same(other.where, region) && other.where.mmap_offset == region.mmap_offset) {
      return Status::Ok;
    }
    if (overlaps(region.guest_address, region.size, other.where.guest_address, other.where.size) ||
        overlaps(region.user_address, region.size, other.where.user_address, other.where.size)) {
      return Status::Invalid;
    }
  }
  if (regions_.size() == kMaxRegions) return Status::Full;
  Result<MappedFile> mapped = MappedFile::map(file, region.mmap_offset, region.size);
  if (!mapped) return mapped.status();
  regions_.push_back({region, std::move(*mapped)});
  return Status::Ok;
}

void GuestMemory::remove(const MemoryRegion& region) noexcept {
  std::erase_if(regions_, [&](const Region& held) { return same(held.where, region); });
}

std::byte* GuestMemory::user_range(std::uint64_t address, std::uint64_t length) const noexcept {
  for (const Region& region : regions_) {
    const std::uint64_t offset = address - region.where.user_address;
    if (address >= region.where.user_address && offset < region.where.size &&
        length <= region.where.size - offset) {
      return region.mapped.data() + offset;
    }
  }
  return nullptr;
}

std::span<std::byte> GuestMemory::piece(std::uint64_t address,
                                        std::uint64_t length) const noexcept {
  for (std::size_t tried = 0; tried < regions_.size(); ++tried) {
    if (last_ >= regions_.size()) last_ = 0;
    const Region& region = regions_[last_];
    const std::uint64_t offset = address - region.where.guest_address;
    if (address >= region.where.guest_address && offset < region.where.size) {
      return {region.mapped.data() + offset, std::min(length, region.where.size - offset)};
    }
    ++last_;
  }
  return {};
}

bool GuestMemory::covers(std::uint64_t address, std::uint64_t length) const noexcept {
  if (length > kMax - address) return false;
  while (length > 0) {
    const auto found = piece(address, length);
    if (found.empty()) return false;
    address += found.size();
    length -= found.size();
  }
  return true;
}

bool GuestMemory::read(std::uint64_t address, std::span<std::byte> into) const noexcept {
  while (!into.empty()) {
    const auto found = piece(address, into.size());
    if (found.empty()) return false;
    std::memcpy(into.data(), found.data(), found.size());
    address += found.size();
    into = into.subspan(found.size());
  }
  return true;
}

bool GuestMemory::write(std::uint64_t address, std::span<const std::byte> from) const noexcept {
  while (!from.empty()) {
    const auto found = piece(address, from.size());
    if (found.empty()) return false;
    std::memcpy(found.data(), from.data(), found.size());
    address += found.size();
    from = from.subspan(found.size());
  }
  return true;
}

}  // namespace cede::vhost_user
