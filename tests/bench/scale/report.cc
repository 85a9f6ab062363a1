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

}  // namespace

std::string as_tables(const ScalePlan& plan, const std::vector<ScaleStep>& all) {
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
  return text;
}

std::string as_json(const ScalePlan& plan, const std::vector<ScaleStep>& all) {
  json::array steps;
  for (const ScaleStep& step : all) steps.push_back(from_step(step));
  return json::serialize(
             json::object{{"machine", describe_machine()},
                          {"session_bytes", kFleetPages * kPageBytes},
                          {"block_bytes", kFleetBlock},
                          {"depth", plan.depth},
                          {"sample_seconds", std::chrono::duration<double>(plan.duration).count()},
                          {"repetitions", plan.repetitions},
                          {"steps", std::move(steps)}}) +
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
