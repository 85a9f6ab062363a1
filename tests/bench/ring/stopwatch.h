// SPDX-License-Identifier: Apache-2.0
// Paces a conversation: warms up, then measures for so long.
//
// The rate is the median over many short stretches, so that a stretch in which somebody else had
// one of the processors does not count. Some of the round trips are timed, not all: a look at the
// clock costs about as much as a message.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "tests/bench/ring/contender.h"
#include "tests/bench/ring/roster.h"

namespace cede::bench::ring {

class Stopwatch {
 public:
  Stopwatch(std::chrono::nanoseconds duration, Load load)
      : duration_(duration), stretch_(std::max(2 * load.window, 32U)) {
    stretches_.reserve(kMaxSamples);
    trips_.reserve(kMaxSamples);
  }

  // Called before each batch; `sent`: the number of its first request.
  [[nodiscard]] bool more(std::uint64_t sent) {
    if (sent < next_look_) return true;
    const Clock::time_point now = Clock::now();
    if (looks_++ == 0) {
      begin_ = now;
    } else if (stretches_.size() < kMaxSamples) {
      const Nanoseconds took = now - last_look_;
      stretches_.push_back(took.count() / static_cast<double>(sent - last_sent_));
    }
    last_look_ = now;
    last_sent_ = sent;
    next_look_ = sent + stretch_;
    timed_ = sent;
    return now - begin_ < duration_;
  }
  void answered(std::uint64_t number) {
    if (number != timed_) return;
    if (trips_.size() < kMaxSamples)
      trips_.push_back(Nanoseconds(Clock::now() - last_look_).count());
  }

  // Round trips a second.
  [[nodiscard]] double rate() { return 1e9 / percentile(stretches_, 0.5); }
  // Nanoseconds from before a request is put until its response is taken; the first of its batch.
  [[nodiscard]] double trip(double share) { return percentile(trips_, share); }

 private:
  using Clock = std::chrono::steady_clock;
  using Nanoseconds = std::chrono::duration<double, std::nano>;
  static constexpr std::uint64_t kWarmUp = 2 * kSlots;
  static constexpr std::size_t kMaxSamples = 1 << 14;

  // 0 where there is nothing.
  static double percentile(std::vector<double>& values, double share) {
    if (values.empty()) return 0;
    const auto rank = static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
    std::nth_element(values.begin(), values.begin() + rank, values.end());
    return values[static_cast<std::size_t>(rank)];
  }

  std::chrono::nanoseconds duration_;
  std::uint64_t stretch_;  // requests
  std::uint64_t looks_ = 0;
  std::uint64_t next_look_ = kWarmUp;
  std::uint64_t timed_ = UINT64_MAX;
  std::uint64_t last_sent_ = 0;
  Clock::time_point begin_;
  Clock::time_point last_look_;
  std::vector<double> stretches_;  // nanoseconds for each round trip
  std::vector<double> trips_;      // nanoseconds
};

}  // namespace cede::bench::ring
