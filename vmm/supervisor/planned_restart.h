// SPDX-License-Identifier: Apache-2.0
// A driver's planned end, and its next life: how far it has got, and how it went.
//
//   Draining   its grants were taken back: it finishes what is on the disk, and releases
//   Ending     it has let go of everything; its process was asked to end
//   Returning  that life is over; the next one is started, and its sessions connect
//   Over       every session that was connected is so again, or there never was a restart
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "vmm/supervisor/event_loop.h"

namespace cede::supervisor {

struct PlannedRestart {
  using Clock = std::chrono::steady_clock;

  enum class Stage : std::uint8_t { Over, Draining, Ending, Returning };
  enum class Drain : std::uint8_t {
    Complete,
    Overran,  // it did not let go in time, and was killed
    Died,     // its process ended before it had let go
  };

  Stage stage = Stage::Over;
  Drain drain = Drain::Complete;
  std::vector<std::size_t> links{};  // what was connected when it began, in Machine::links()
  Clock::time_point begun{};
  Clock::duration pause{};  // from then until all of them were connected again
  EventLoop::Registration look{};

  // The broker had its driver killed.
  void overran() noexcept {
    if (under_way()) drain = Drain::Overran;
  }
  [[nodiscard]] bool under_way() const noexcept { return stage != Stage::Over; }
  // Nothing is granted on the life that is to end.
  [[nodiscard]] bool holds_grants() const noexcept {
    return stage == Stage::Draining || stage == Stage::Ending;
  }
  [[nodiscard]] bool ever() const noexcept { return begun != Clock::time_point{}; }
};

}  // namespace cede::supervisor
