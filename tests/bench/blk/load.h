// SPDX-License-Identifier: Apache-2.0
// The load generator: a closed loop that keeps `depth` operations in flight on a target.
//
// A target is anything with
//   void prepare(std::uint32_t depth, std::uint32_t bytes)   buffers for the slots below `depth`,
//                                                            nothing being in flight
//   std::span<std::byte> buffer(std::uint32_t slot)          of `bytes`
//   void submit(std::uint32_t slot, bool write, std::uint64_t sector)
//   void publish()                              all submitted operations become visible
//   std::size_t poll(std::span<Done> out)       finished operations, never blocks
//   void wait(int milliseconds)                 sleeps until poll() may have something
// Every target gets the same loop, so what differs between two rows of the table is the target
// alone. A target that fails for good throws.
#pragma once

#include <sched.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <random>
#include <span>
#include <stdexcept>
#include <vector>

#include "tests/bench/blk/workload.h"
#include "tests/bench/interrupt.h"

namespace cede::bench {

struct Done {
  std::uint32_t slot = 0;
  bool ok = true;
};

[[nodiscard]] inline std::uint64_t now_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U +
         static_cast<std::uint64_t>(now.tv_nsec);
}

// How long a generator looks again before it sleeps: long enough for a fast device's answer, short
// against a scheduler's slice.
inline constexpr std::uint64_t kClientPollNs = 10'000;
// A target that finishes nothing for so long is given up.
inline constexpr std::uint64_t kStuckNs = 10'000'000'000U;

template <class Target>
Sample run_load(Target& target, const Workload& workload, std::uint64_t disk_bytes,
                std::chrono::nanoseconds duration) {
  Sample sample;
  const std::uint64_t blocks = disk_bytes / workload.bytes;
  std::minstd_rand random(1);
  std::uint64_t sequential = 0;
  std::vector<std::uint64_t> started(workload.depth);
  std::array<Done, kMaxDepth> done;
  target.prepare(workload.depth, workload.bytes);

  const auto start_one = [&](std::uint32_t slot, std::uint64_t now) {
    const std::uint64_t block = (workload.random ? random() : sequential++) % blocks;
    started[slot] = now;
    target.submit(slot, workload.write, block * (workload.bytes / 512));
  };

  const std::uint64_t begin = now_ns();
  const std::uint64_t end = begin + static_cast<std::uint64_t>(duration.count());
  for (std::uint32_t slot = 0; slot < workload.depth; ++slot) start_one(slot, begin);
  target.publish();

  std::uint32_t in_flight = workload.depth;
  std::uint64_t last_progress = begin;
  while (in_flight > 0) {
    const std::size_t count = target.poll(done);
    const std::uint64_t now = now_ns();
    if (count == 0) {
      if (now - last_progress > kStuckNs) throw std::runtime_error("nothing is completed any more");
      if (now - last_progress > kClientPollNs) {
        target.wait(1000);
      } else {
        ::sched_yield();  // whoever has to work for us may be waiting for this very processor
      }
      continue;
    }
    last_progress = now;
    const bool go_on = now < end && !interrupted();
    for (const Done& one : std::span(done).first(count)) {
      ++sample.latency[latency_bucket(now - started[one.slot])];
      ++sample.operations;
      if (!one.ok) ++sample.errors;
      if (go_on) {
        start_one(one.slot, now);
      } else {
        --in_flight;
      }
    }
    target.publish();
  }
  sample.seconds = static_cast<double>(now_ns() - begin) / 1e9;
  return sample;
}

}  // namespace cede::bench
