// SPDX-License-Identifier: Apache-2.0
// One sample: one contender carries one load between two pinned processors, or on one.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "tests/bench/ring/roster.h"

namespace cede::bench::ring {

enum class Place : std::uint8_t {
  Processes,  // on two processors
  Threads,    // of one process, on two processors
  Together,   // both sides by turns in one thread
};
enum class Wait : std::uint8_t { Spin, Sleep };

// What is compared: all contenders meet the same.
struct Cell {
  Place place = Place::Threads;
  Wait wait = Wait::Spin;  // Together: Spin, it never waits
  std::uint32_t slot_bytes = 0;
  Load load;

  // "threads/spin/64B/8of32": batches of 8, 32 in flight.
  [[nodiscard]] std::string name() const;
};

// The memory that both sides share, as each has it mapped: kArenaBytes of it, aligned to a page.
struct Arena {
  std::byte* front = nullptr;
  std::byte* back = nullptr;
};
inline constexpr std::size_t kArenaBytes = 264 << 10;

struct Trial {
  double rate = 0;  // round trips a second
  double p50 = 0;   // nanoseconds from before the request is put until its response is taken
  double p99 = 0;
  std::uint64_t wrong = 0;  // responses lost, repeated, changed or out of order
  double busy = 0;          // share of the time that the less lucky side had a processor
};

// `duration` comes after a warm-up of two rounds of the ring. Throws std::runtime_error,
// std::system_error.
[[nodiscard]] Trial run_trial(ContenderId contender, const Cell& cell, Arena arena,
                              std::chrono::nanoseconds duration);

}  // namespace cede::bench::ring
