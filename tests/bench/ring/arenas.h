// SPDX-License-Identifier: Apache-2.0
// Memory that both sides share: plain memory for threads, and for processes the region of a session
// at a real broker, given up by its client, populated and sealed, mapped once for each side.
#pragma once

#include <memory>
#include <utility>

#include "tests/bench/ring/trial.h"
#include "tests/bench/session_pair.h"

namespace cede::bench::ring {

class PlainArena {
 public:
  [[nodiscard]] Arena arena() const { return {memory_->bytes, memory_->bytes}; }

 private:
  struct alignas(kPageBytes) Memory {
    std::byte bytes[kArenaBytes];
  };
  std::unique_ptr<Memory> memory_ = std::make_unique<Memory>();
};

class DonatedArena {
 public:
  DonatedArena() : session_(pair_.connect()) {}
  DonatedArena(const DonatedArena&) = delete;
  DonatedArena& operator=(const DonatedArena&) = delete;
  ~DonatedArena() { pair_.disconnect(std::move(session_)); }

  // The session's own rings are not used: all of its pages are one arena.
  [[nodiscard]] Arena arena() const {
    return {session_.client.mapping.data(), session_.driver.mapping.data()};
  }

 private:
  static constexpr std::uint32_t kPages = 128;
  static_assert(kPages * kPageBytes >= kArenaBytes);

  Broker broker_;
  SessionPair pair_{broker_.root(), kPages};
  test::LiveSession session_;
};

}  // namespace cede::bench::ring
