// SPDX-License-Identifier: Apache-2.0
#include "frontend/vhost_user/inflight.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstring>

#include "frontend/vhost_user/virtio_ring.h"

namespace cede::vhost_user {

namespace {

// "QueueRegionSplit": these fields, then an Entry for each descriptor.
constexpr std::size_t kVersion = 8;
constexpr std::size_t kDescriptors = 10;
constexpr std::size_t kLastBatchHead = 12;
constexpr std::size_t kUsedIndex = 14;
constexpr std::size_t kEntries = 16;
// "DescStateSplit".
constexpr std::size_t kEntryBytes = 16;
constexpr std::size_t kEntryNext = 6;
constexpr std::size_t kEntryCounter = 8;
// What libvhost-user aligns each queue's part to, and QEMU's front-end expects of us.
constexpr std::uint64_t kAlignment = 64;

constexpr std::uint64_t stride(std::uint16_t queue_size) noexcept {
  return (kEntries + kEntryBytes * queue_size + kAlignment - 1) / kAlignment * kAlignment;
}

template <class T>
T load(std::byte* place) noexcept {
  return std::atomic_ref(*reinterpret_cast<T*>(place)).load(std::memory_order_acquire);
}

// Our death can fall between any two of these stores, so they must land in this order.
template <class T>
void store(std::byte* place, T value) noexcept {
  std::atomic_ref(*reinterpret_cast<T*>(place)).store(value, std::memory_order_release);
}

}  // namespace

std::optional<std::vector<std::uint16_t>> InflightQueue::recover(std::uint32_t size,
                                                                 std::uint16_t used) {
  const auto entry = [&](std::size_t head) { return base_ + kEntries + head * kEntryBytes; };
  if (base_ == nullptr || size > capacity_) return std::nullopt;
  batch_.clear();
  counter_ = 0;
  const auto version = load<std::uint16_t>(base_ + kVersion);
  if (version == 0) {
    forget();
    store<std::uint16_t>(base_ + kDescriptors, capacity_);
    store<std::uint16_t>(base_ + kVersion, 1);
    store<std::uint16_t>(base_ + kUsedIndex, used);
    return std::vector<std::uint16_t>();
  }
  if (version != 1 || load<std::uint16_t>(base_ + kDescriptors) != capacity_) return std::nullopt;

  // The last life published a batch and died before it had cleared all of it.
  const auto unfinished =
      static_cast<std::uint16_t>(used - load<std::uint16_t>(base_ + kUsedIndex));
  auto head = load<std::uint16_t>(base_ + kLastBatchHead);
  for (std::uint16_t i = 0; i < unfinished && i < capacity_ && head < capacity_; ++i) {
    store<std::uint8_t>(entry(head), 0);
    head = load<std::uint16_t>(entry(head) + kEntryNext);
  }
  store<std::uint16_t>(base_ + kUsedIndex, used);

  std::vector<std::pair<std::uint64_t, std::uint16_t>> marked;
  for (std::uint32_t i = 0; i < size; ++i) {
    if (load<std::uint8_t>(entry(i)) != 1) continue;
    marked.emplace_back(load<std::uint64_t>(entry(i) + kEntryCounter),
                        static_cast<std::uint16_t>(i));
  }
  std::sort(marked.begin(), marked.end());
  std::vector<std::uint16_t> heads;
  heads.reserve(marked.size());
  for (const auto& [counter, marked_head] : marked) heads.push_back(marked_head);
  if (!marked.empty()) counter_ = marked.back().first + 1;
  return heads;
}

void InflightQueue::forget() noexcept {
  if (base_ != nullptr) std::memset(base_, 0, kEntries + kEntryBytes * capacity_);
}

void InflightQueue::taken(std::uint16_t head) noexcept {
  std::byte* entry = base_ + kEntries + head * kEntryBytes;
  store<std::uint64_t>(entry + kEntryCounter, counter_++);
  store<std::uint8_t>(entry, 1);
}

void InflightQueue::giving_back(std::uint16_t head) {
  std::byte* entry = base_ + kEntries + head * kEntryBytes;
  const std::uint16_t previous = batch_.empty() ? head : batch_.back();
  store<std::uint16_t>(entry + kEntryNext, previous);
  store<std::uint16_t>(base_ + kLastBatchHead, head);
  batch_.push_back(head);
}

void InflightQueue::given_back(std::uint16_t used) noexcept {
  for (const std::uint16_t head : batch_) {
    store<std::uint8_t>(base_ + kEntries + head * kEntryBytes, 0);
  }
  batch_.clear();
  store<std::uint16_t>(base_ + kUsedIndex, used);
}

Result<InflightRegion> InflightRegion::create(std::uint16_t queues, std::uint16_t queue_size,
                                              Fd& file) {
  if (queues == 0 || queue_size == 0 || queue_size > kMaxQueueSize) return Status::Invalid;
  const InflightDescription description{stride(queue_size) * queues, 0, queues, queue_size, 0};
  Fd made(::memfd_create("vhost-inflight", MFD_CLOEXEC));
  if (!made || ::ftruncate(made.get(), static_cast<off_t>(description.mmap_size)) != 0) {
    return Status::IoError;
  }
  Result<InflightRegion> region = map(description, made);
  if (region) file = std::move(made);
  return region;
}

Result<InflightRegion> InflightRegion::adopt(const InflightDescription& description, const Fd& file,
                                             std::uint16_t max_queues) {
  const bool sane = description.queues != 0 && description.queues <= max_queues &&
                    description.queue_size != 0 && description.queue_size <= kMaxQueueSize &&
                    description.mmap_size >= stride(description.queue_size) * description.queues &&
                    description.mmap_offset % kAlignment == 0;
  if (!sane) return Status::Invalid;
  return map(description, file);
}

Result<InflightRegion> InflightRegion::map(const InflightDescription& description, const Fd& file) {
  Result<MappedFile> mapping = MappedFile::map(file, description.mmap_offset,
                                               stride(description.queue_size) * description.queues);
  if (!mapping) return mapping.status();
  InflightRegion region;
  region.description_ = description;
  region.mapping_ = std::move(*mapping);
  return region;
}

InflightDescription InflightRegion::description() const noexcept {
  return description_;
}

InflightQueue InflightRegion::queue(std::uint16_t index) const noexcept {
  if (index >= description_.queues) return {};
  return {mapping_.data() + index * stride(description_.queue_size), description_.queue_size};
}

}  // namespace cede::vhost_user
