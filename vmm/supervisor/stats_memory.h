// SPDX-License-Identifier: Apache-2.0
// A driver's counters: a memfd that the driver writes and the supervisor reads.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "protocols/posix/fd.h"
#include "protocols/stats.h"

namespace cede::supervisor {

// The counters of one device at a moment. What an untrusted domain says of itself: to be shown, and
// nothing else.
struct DeviceCounters {
  std::uint64_t sessions = 0;
  std::uint64_t reads = 0, read_bytes = 0;
  std::uint64_t writes = 0, write_bytes = 0;
  std::uint64_t flushes = 0, erases = 0;
  std::uint64_t errors = 0;
  std::uint64_t rejected = 0;
  std::uint64_t doorbells = 0, wakeups = 0;
  std::array<std::uint64_t, kLatencyBuckets> latency{};
  // A port's; "sent" is what came from the client.
  std::uint64_t sent_frames = 0, sent_bytes = 0;
  std::uint64_t received_frames = 0, received_bytes = 0;
  std::array<std::uint64_t, kDropReasons> drops{};
  bool up = false;  // an uplink's, which is row kUplinkRow
};

class StatsMemory {
 public:
  // A page of zeros, for one life of a driver. Throws std::runtime_error.
  StatsMemory();
  // Of a life that began before us.
  explicit StatsMemory(Fd memory);
  StatsMemory(const StatsMemory&) = delete;
  StatsMemory& operator=(const StatsMemory&) = delete;
  ~StatsMemory();

  // For the driver to inherit; sealed against any change of its size.
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  // `device` below kMaxDevices.
  [[nodiscard]] DeviceCounters read(std::size_t device) const noexcept;

 private:
  Fd fd_;
  const StatsPage* page_ = nullptr;  // mapped for reading only
};

}  // namespace cede::supervisor
