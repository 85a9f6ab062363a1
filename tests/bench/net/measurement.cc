// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/net/measurement.h"

#include <fmt/format.h>

#include <cstdio>
#include <stdexcept>
#include <utility>

#include "tests/bench/interrupt.h"
#include "tests/bench/selection.h"

namespace cede::bench {
namespace {

NetResult measure_one(const NetPlan& plan, NetWorkload workload) {
  std::erase_if(workload.systems,
                [&](const NetSystem& system) { return !matches(system.name, plan.systems); });
  const auto named = [&](const NetSystem& system, const auto& work) {
    try {
      return work();
    } catch (const std::exception& error) {
      throw std::runtime_error(fmt::format("{}, {}: {}", system.name, workload.name, error.what()));
    }
  };
  std::vector<std::unique_ptr<Subject>> subjects;
  for (const NetSystem& system : workload.systems) {
    throw_if_interrupted();
    subjects.push_back(named(system, system.start));
  }
  std::vector<std::vector<NetSample>> samples(subjects.size());
  for (unsigned repetition = 0; repetition < plan.repetitions; ++repetition) {
    for (std::size_t s = 0; s < subjects.size(); ++s) {
      throw_if_interrupted();
      const double round_trip = cache_line_round_trip();
      samples[s].push_back(
          named(workload.systems[s], [&] { return subjects[s]->run(plan.duration); }));
      samples[s].back().round_trip = round_trip;
    }
  }
  return {std::move(workload), std::move(samples)};
}

}  // namespace

std::vector<NetResult> measure(const NetPlan& plan) {
  std::vector<NetResult> all;
  for (const NetWorkload& workload : plan.workloads) {
    fmt::print(stderr, "[{}/{}] {}, {} repetitions\n", all.size() + 1, plan.workloads.size(),
               workload.name, plan.repetitions);
    all.push_back(measure_one(plan, workload));
  }
  return all;
}

}  // namespace cede::bench
