// SPDX-License-Identifier: Apache-2.0
// Two programs run on two modelled cores, by turns: always the one whose time is behind, up to its
// next access to the memory they share. So both spin, wait and overtake as on a machine, and every
// run is the same.
//
// An access takes one step. A read of a line that the other cache has waits kMiss steps before it
// gets it, and what the other core stores meanwhile comes along. Stores do not wait: that is what
// store buffers are for.
#pragma once

#include <ucontext.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "tests/bench/ring/model/two_caches.h"

namespace cede::bench::ring {

class TwoCores {
 public:
  static constexpr std::uint64_t kMiss = 40;

  // `memory` is aligned to a cache line.
  explicit TwoCores(std::span<std::byte> memory);

  // Runs both to their ends. They must not throw. One such run at a time in a process.
  void run(std::function<void()> first, std::function<void()> second);

  // For the hooks: the program that runs now touches [place, place + bytes).
  static void touch(const volatile void* place, std::size_t bytes, Access access);

  [[nodiscard]] const TwoCaches& caches() const { return caches_; }

 private:
  struct Core {
    ucontext_t context{};
    std::function<void()> program;
    std::unique_ptr<std::byte[]> stack;
    std::uint64_t time = 0;
    bool ended = false;
  };
  static constexpr std::size_t kStackBytes = 1 << 20;

  static void start();
  void account(std::size_t begin, std::size_t end, Access access);
  void pass(std::uint64_t steps);

  std::span<std::byte> memory_;
  TwoCaches caches_;
  std::array<Core, 2> cores_;
  unsigned running_ = 0;
  ucontext_t caller_{};
};

}  // namespace cede::bench::ring
