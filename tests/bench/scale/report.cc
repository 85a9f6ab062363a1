// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/scale/report.h"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "tests/bench/machine.h"
#include "tests/bench/scale/fleet.h"

namespace cede::bench {
namespace {

namespace json = boost::json;

constexpr int kColumn = 11;

std::string table(std::string_view title, const std::vector<ScaleStep>& all) {
  std::string text = fmt::format("\n{}\n  {:>8}", title, "sessions");
  for (const ScaleFigure& figure : scale_figures()) {
    if (figure.table == title) text += fmt::format(" {:>{}}", figure.column, kColumn);
  }
  text += '\n';
  for (const ScaleStep& step : all) {
    text += fmt::format("  {:>8}", step.sessions);
    for (const ScaleFigure& figure : scale_figures()) {
      if (figure.table != title) continue;
      text +=
          fmt::format(" {:>{}.{}f}", step.spread(figure.value).median, kColumn, figure.decimals);
    }
    text += '\n';
  }
  return text;
}

json::object from_step(const ScaleStep& step) {
  json::object figures;
  for (const ScaleFigure& figure : scale_figures()) {
    const Spread spread = step.spread(figure.value);
    figures[figure.name] =
        json::object{{"median", spread.median}, {"min", spread.least}, {"max", spread.most}};
  }
  return {{"sessions", step.sessions}, {"figures", std::move(figures)}};
}

std::string idle_table(const std::vector<IdleMemory>& all) {
  if (all.empty()) return {};
  std::string text = fmt::format(
      "\nidle sessions by memory policy: KiB for each of {}\n  {:<14} {:>12} {:>12} {:>16} {:>10}"
      "  {}\n",
      kIdleSessions, "policy", "client pays", "driver pays", "after take-back", "in region",
      "reads then");
  for (const IdleMemory& one : all) {
    text += fmt::format("  {:<14} {:>12.0f} {:>12.0f} {:>16.0f} {:>10.0f}  {}\n", one.policy,
                        one.client_pays, one.driver_pays, one.after_taking_back, one.in_region,
                        one.wrong_reads == 0 ? "right" : fmt::format("{} wrong", one.wrong_reads));
  }
  return text;
}

json::array from_idle(const std::vector<IdleMemory>& all) {
  json::array rows;
  for (const IdleMemory& one : all) {
    rows.push_back(json::object{{"policy", one.policy},
                                {"sessions", kIdleSessions},
                                {"client_kib", one.client_pays},
                                {"driver_kib", one.driver_pays},
                                {"kib_after_taking_back", one.after_taking_back},
                                {"kib_in_region_then", one.in_region},
                                {"wrong_reads", one.wrong_reads}});
  }
  return rows;
}

}  // namespace

std::string as_tables(const ScalePlan& plan, const std::vector<ScaleStep>& all,
                      const std::vector<IdleMemory>& idle) {
  std::string text = fmt::format(
      "{}\none cede-driver on an image in memory; sessions of {} KiB, a client each; random reads\n"
      "of {} bytes, {} in flight for each client; {:.1f} s idle, {:.1f} s active; {} repetitions,\n"
      "interleaved; medians\n",
      describe_machine(), kFleetPages * kPageBytes / 1024, kFleetBlock, plan.depth,
      std::chrono::duration<double>(plan.duration).count(),
      std::chrono::duration<double>(plan.duration).count(), plan.repetitions);
  std::string_view last;
  for (const ScaleFigure& figure : scale_figures()) {
    if (figure.table != last) text += table(figure.table, all);
    last = figure.table;
  }
  return text + idle_table(idle);
}

std::string as_json(const ScalePlan& plan, const std::vector<ScaleStep>& all,
                    const std::vector<IdleMemory>& idle) {
  json::array steps;
  for (const ScaleStep& step : all) steps.push_back(from_step(step));
  return json::serialize(
             json::object{{"machine", describe_machine()},
                          {"session_bytes", kFleetPages * kPageBytes},
                          {"block_bytes", kFleetBlock},
                          {"depth", plan.depth},
                          {"sample_seconds", std::chrono::duration<double>(plan.duration).count()},
                          {"repetitions", plan.repetitions},
                          {"steps", std::move(steps)},
                          {"idle_memory", from_idle(idle)}}) +
         '\n';
}

std::uint64_t failed_operations(const std::vector<ScaleStep>& all) {
  std::uint64_t failed = 0;
  for (const ScaleStep& step : all) {
    for (const ScaleSample& sample : step.samples) failed += sample.errors;
  }
  return failed;
}

}  // namespace cede::bench
