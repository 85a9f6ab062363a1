// SPDX-License-Identifier: Apache-2.0
#include "vmm/supervisor/stats_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bit>
#include <stdexcept>
#include <utility>

namespace cede::supervisor {
namespace {

// A driver VM has it as a device's memory, which QEMU takes in powers of two only.
constexpr off_t kBytes = std::bit_ceil(sizeof(StatsPage));

Fd make_page() {
  Fd fd(::memfd_create("cede-stats", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  // Populated here: a hole that the driver leaves would be filled at our expense anyway.
  if (!fd || ::posix_fallocate(fd.get(), 0, kBytes) != 0 ||
      ::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    throw std::runtime_error("cannot make the memory for a driver's counters");
  }
  return fd;
}

}  // namespace

StatsMemory::StatsMemory() : StatsMemory(make_page()) {}

StatsMemory::StatsMemory(Fd memory) : fd_(std::move(memory)) {
  void* base = ::mmap(nullptr, sizeof(StatsPage), PROT_READ, MAP_SHARED, fd_.get(), 0);
  if (base == MAP_FAILED) throw std::runtime_error("cannot map a driver's counters");
  page_ = static_cast<const StatsPage*>(base);
}

StatsMemory::~StatsMemory() {
  ::munmap(const_cast<StatsPage*>(page_), sizeof(StatsPage));
}

DeviceCounters StatsMemory::read(std::size_t device) const noexcept {
  const DeviceStats& stats = (*page_)[device];
  const auto value = [](const Counter& counter) { return counter.load(std::memory_order_relaxed); };
  DeviceCounters counters{
      .sessions = value(stats.sessions),
      .reads = value(stats.block.reads),
      .read_bytes = value(stats.block.read_bytes),
      .writes = value(stats.block.writes),
      .write_bytes = value(stats.block.write_bytes),
      .flushes = value(stats.block.flushes),
      .erases = value(stats.block.erases),
      .errors = value(stats.block.errors),
      .rejected = value(stats.rejected),
      .doorbells = value(stats.doorbells),
      .wakeups = value(stats.wakeups),
      .sent_frames = value(stats.net.sent_frames),
      .sent_bytes = value(stats.net.sent_bytes),
      .received_frames = value(stats.net.received_frames),
      .received_bytes = value(stats.net.received_bytes),
      .up = value(stats.net.up) != 0,
  };
  for (std::size_t i = 0; i < kLatencyBuckets; ++i)
    counters.latency[i] = value(stats.block.latency[i]);
  for (std::size_t i = 0; i < kDropReasons; ++i) counters.drops[i] = value(stats.net.drops[i]);
  return counters;
}

}  // namespace cede::supervisor
