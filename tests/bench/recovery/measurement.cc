// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/recovery/measurement.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <cstdio>
#include <stdexcept>

#include "tests/bench/interrupt.h"
#include "tests/bench/machine.h"
#include "tests/bench/spread.h"

namespace cede::bench {

namespace json = boost::json;

std::vector<RecoveryResult> measure(const RecoveryPlan& plan) {
  std::vector<RecoveryResult> all;
  for (const RecoveryRow& row : plan.rows) all.push_back({row, {}});
  for (unsigned repetition = 0; repetition < plan.repetitions; ++repetition) {
    fmt::print(stderr, "[{}/{}] {} rows\n", repetition + 1, plan.repetitions, all.size());
    for (RecoveryResult& result : all) {
      throw_if_interrupted();
      try {
        result.samples.push_back(result.row.sample());
      } catch (const std::exception& error) {
        throw std::runtime_error(
            fmt::format("{}, {}: {}", result.row.workload, result.row.system, error.what()));
      }
    }
  }
  return all;
}

std::string as_tables(const RecoveryPlan& plan, const std::vector<RecoveryResult>& all) {
  std::string text = fmt::format(
      "{}\n{} repetitions, interleaved; medians\n\n  {:<11} {:<9} {:>10} "
      "{:<24} {}\n",
      describe_machine(), plan.repetitions, "workload", "system", "", "(min..max)", "");
  for (const RecoveryResult& result : all) {
    const Spread spread = spread_of(result.samples);
    text += fmt::format("  {:<11} {:<9} {:>10.1f} {:<24} {}: {}\n", result.row.workload,
                        result.row.system, spread.median,
                        fmt::format("({:.1f}..{:.1f})", spread.least, spread.most), result.row.unit,
                        result.row.what);
  }
  return text;
}

std::string as_json(const RecoveryPlan& plan, const std::vector<RecoveryResult>& all) {
  json::array rows;
  for (const RecoveryResult& result : all) {
    const Spread spread = spread_of(result.samples);
    rows.push_back(
        json::object{{"workload", result.row.workload},
                     {"system", result.row.system},
                     {"unit", result.row.unit},
                     {"median", spread.median},
                     {"min", spread.least},
                     {"max", spread.most},
                     {"samples", json::array(result.samples.begin(), result.samples.end())}});
  }
  return json::serialize(json::object{{"machine", describe_machine()},
                                      {"repetitions", plan.repetitions},
                                      {"rows", std::move(rows)}}) +
         '\n';
}

}  // namespace cede::bench
