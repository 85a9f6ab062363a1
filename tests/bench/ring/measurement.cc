// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/ring/measurement.h"

#include <fmt/format.h>

#include <cstdio>
#include <stdexcept>

#include "tests/bench/interrupt.h"
#include "tests/bench/machine.h"
#include "tests/bench/ring/arenas.h"

namespace cede::bench::ring {
namespace {

constexpr double kSiblingsNanoseconds = 90;
constexpr double kNearNanoseconds = 250;

// Below this share of the time on a processor the median stretch may have been a disturbed one.
constexpr double kBusyEnough = 0.6;

Nearness nearness_of(double ping) {
  if (ping <= kSiblingsNanoseconds) return Nearness::Siblings;
  return ping <= kNearNanoseconds ? Nearness::Near : Nearness::Apart;
}

class Laboratory {
 public:
  explicit Laboratory(const RingPlan& plan) : plan_(plan) {}

  RingSample sample(ContenderId contender, const Cell& cell) {
    RingSample taken = attempt(contender, cell);
    for (unsigned i = 1; i < plan_.attempts && !good(taken, cell); ++i) {
      throw_if_interrupted();
      taken = attempt(contender, cell);
    }
    return taken;
  }

 private:
  static bool good(const RingSample& sample, const Cell& cell) {
    return sample.nearness != Nearness::Moved &&
           (cell.wait == Wait::Sleep || sample.trial.busy >= kBusyEnough);
  }
  RingSample attempt(ContenderId contender, const Cell& cell) {
    const Arena arena = cell.place == Place::Processes ? donated() : plain_.arena();
    const double before = cache_line_round_trip();
    const Trial trial = run_trial(contender, cell, arena, plan_.duration);
    const double after = cache_line_round_trip();
    const bool still = nearness_of(before) == nearness_of(after);
    return {trial, (before + after) / 2, still ? nearness_of(after) : Nearness::Moved};
  }
  Arena donated() {
    if (!donated_) donated_.emplace();
    return donated_->arena();
  }

  const RingPlan& plan_;
  PlainArena plain_;
  std::optional<DonatedArena> donated_;  // there once it is wanted
};

CellResult measure_cell(Laboratory& laboratory, const RingPlan& plan, const Cell& cell) {
  CellResult result{cell, std::vector<std::vector<RingSample>>(plan.contenders.size()), {}};
  for (const Entrant& entrant : plan.contenders) {
    result.traffic.push_back(cell.place == Place::Together
                                 ? TrafficPerTrip{}
                                 : count_traffic(entrant.id, cell.slot_bytes, cell.load));
  }
  for (unsigned repetition = 0; repetition < plan.repetitions; ++repetition) {
    for (std::size_t c = 0; c < plan.contenders.size(); ++c) {
      throw_if_interrupted();
      try {
        result.samples[c].push_back(laboratory.sample(plan.contenders[c].id, cell));
      } catch (const std::exception& error) {
        throw std::runtime_error(
            fmt::format("{}, {}: {}", plan.contenders[c].name, cell.name(), error.what()));
      }
    }
  }
  return result;
}

}  // namespace

std::string_view to_string(Nearness nearness) {
  switch (nearness) {
    case Nearness::Siblings:
      return "siblings";
    case Nearness::Near:
      return "near";
    case Nearness::Apart:
      return "apart";
    case Nearness::Moved:
      break;
  }
  return "moved";
}

std::vector<Cell> all_cells() {
  std::vector<Cell> cells;
  for (const Wait wait : {Wait::Spin, Wait::Sleep}) {
    for (const Place place : {Place::Processes, Place::Threads, Place::Together}) {
      if (place == Place::Together && wait == Wait::Sleep) continue;  // it never waits
      for (const std::uint32_t slot_bytes : kSlotSizes) {
        for (const Load load : kLoads) cells.push_back({place, wait, slot_bytes, load});
      }
    }
  }
  return cells;
}

std::vector<CellResult> measure(const RingPlan& plan) {
  Laboratory laboratory(plan);
  std::vector<CellResult> all;
  for (const Cell& cell : plan.cells) {
    fmt::print(stderr, "[{}/{}] {}\n", all.size() + 1, plan.cells.size(), cell.name());
    all.push_back(measure_cell(laboratory, plan, cell));
  }
  return all;
}

}  // namespace cede::bench::ring
