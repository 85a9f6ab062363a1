// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/blk/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <span>

#include "tests/bench/machine.h"

namespace cede::bench {
namespace {

// A system's rate over that of the fastest of those named.
struct Comparison {
  std::string_view over;
  std::array<std::string_view, 2> under;
  std::optional<double> wanted = std::nullopt;
};
constexpr std::array<Comparison, 3> kComparisons{{
    {"library", {"raw"}, 0.7},
    {"endpoint", {"qsd-threads", "qsd-io_uring"}, 1.0},
    {"vm", {"process"}},
}};
constexpr std::uint32_t kGoalDepth = 32;

using Repetitions = std::vector<Measured>;

Spread spread_over(const Repetitions& repetitions, double Measured::*field) {
  std::vector<double> values;
  for (const Measured& measured : repetitions) values.push_back(measured.*field);
  return spread_of(std::move(values));
}

std::optional<std::size_t> find_system(const Plan& plan, std::string_view name) {
  for (std::size_t s = 0; s < plan.systems.size(); ++s) {
    if (plan.systems[s].name == name) return s;
  }
  return std::nullopt;
}

// The one with the highest median among those of the names that were measured.
std::optional<std::size_t> fastest(const Plan& plan, const std::vector<Repetitions>& systems,
                                   std::span<const std::string_view> names) {
  std::optional<std::size_t> best;
  const auto iops = [&](std::size_t s) { return spread_over(systems[s], &Measured::iops).median; };
  for (const std::string_view name : names) {
    const std::optional<std::size_t> s = find_system(plan, name);
    if (s && (!best || iops(*s) > iops(*best))) best = s;
  }
  return best;
}

std::optional<Ratio> ratio(const Plan& plan, const std::vector<Repetitions>& systems,
                           const Comparison& comparison) {
  const std::optional<std::size_t> over = find_system(plan, comparison.over);
  const std::optional<std::size_t> under = fastest(plan, systems, comparison.under);
  if (!over || !under) return std::nullopt;
  std::vector<double> values;
  for (std::size_t i = 0; i < systems[*over].size(); ++i) {
    values.push_back(systems[*over][i].iops / systems[*under][i].iops);
  }
  return Ratio{plan.systems[*over].name, plan.systems[*under].name, spread_of(std::move(values)),
               comparison.wanted};
}

std::string short_count(double value) {
  if (value >= 999'500) return fmt::format("{:.2f}M", value / 1e6);
  if (value >= 99'950) return fmt::format("{:.0f}k", value / 1e3);
  if (value >= 1'000) return fmt::format("{:.1f}k", value / 1e3);
  return fmt::format("{:.0f}", value);
}

// "client 1.20  driver 0.95", medians of each; a process that did next to nothing is left out.
std::string processor_use(const Repetitions& repetitions) {
  std::string text;
  for (std::size_t i = 0; i < repetitions.front().processes.size(); ++i) {
    std::vector<double> seconds;
    for (const Measured& measured : repetitions) seconds.push_back(measured.processes[i].seconds);
    const double median = spread_of(std::move(seconds)).median;
    if (median < 0.005) continue;
    text += fmt::format("{}{} {:.2f}", text.empty() ? "" : "  ",
                        repetitions.front().processes[i].role, median);
  }
  return text;
}

std::string table(const Plan& plan, const Measurements& all, std::size_t w) {
  std::vector<double> trips;
  std::vector<double> others;
  for (const Repetitions& repetitions : all[w]) {
    for (const Measured& measured : repetitions) {
      trips.push_back(measured.round_trip);
      others.push_back(100 * measured.others);
    }
  }
  const Spread trip = spread_of(std::move(trips));
  const Spread other = spread_of(std::move(others));
  std::string text = fmt::format(
      "{}   (cache line there and back {:.0f} ns, {:.0f} to {:.0f}; others used {:.1f} %, at most "
      "{:.1f} %)\n  {:<13} {:>7} {:<18} {:>7} {:>8} {:>8}  CPU s per million I/Os\n",
      plan.workloads[w].name, trip.median, trip.least, trip.most, other.median, other.most,
      "system", "IOPS", "(min..max)", "MB/s", "p50 us", "p99 us");
  for (std::size_t s = 0; s < plan.systems.size(); ++s) {
    const Repetitions& repetitions = all[w][s];
    const Spread iops = spread_over(repetitions, &Measured::iops);
    text +=
        fmt::format("  {:<13} {:>7} {:<18} {:>7.0f} {:>8.1f} {:>8.1f}  {}\n", plan.systems[s].name,
                    short_count(iops.median),
                    fmt::format("({}..{})", short_count(iops.least), short_count(iops.most)),
                    spread_over(repetitions, &Measured::megabytes).median,
                    spread_over(repetitions, &Measured::p50).median,
                    spread_over(repetitions, &Measured::p99).median, processor_use(repetitions));
  }
  for (const Ratio& one : ratios(plan, all, w)) {
    text += fmt::format("  {} / {}: {:.2f}x ({:.2f}..{:.2f})\n", one.over, one.under,
                        one.spread.median, one.spread.least, one.spread.most);
  }
  return text;
}

}  // namespace

std::vector<Ratio> ratios(const Plan& plan, const Measurements& all, std::size_t w) {
  std::vector<Ratio> found;
  for (const Comparison& comparison : kComparisons) {
    if (const std::optional<Ratio> one = ratio(plan, all[w], comparison)) found.push_back(*one);
  }
  return found;
}

std::vector<Goal> goals(const Plan& plan, const Measurements& all) {
  std::vector<Goal> found;
  for (std::size_t w = 0; w < plan.workloads.size(); ++w) {
    if (plan.workloads[w].depth != kGoalDepth) continue;
    for (const Ratio& one : ratios(plan, all, w)) {
      if (!one.wanted) continue;
      found.push_back({fmt::format("{}: {} at least {:.2f} of {}", plan.workloads[w].name, one.over,
                                   *one.wanted, one.under),
                       one, one.spread.median >= *one.wanted});
    }
  }
  return found;
}

std::uint64_t failed_operations(const Measurements& all) {
  std::uint64_t failed = 0;
  for (const auto& systems : all) {
    for (const Repetitions& repetitions : systems) {
      for (const Measured& measured : repetitions) failed += measured.errors;
    }
  }
  return failed;
}

std::string as_tables(const Plan& plan, const Measurements& all) {
  std::string text = fmt::format(
      "{}\n{} MiB image in memory for each system; samples of {:.1f} s, {} repetitions, "
      "interleaved; medians\n",
      describe_machine(), plan.image_bytes >> 20,
      std::chrono::duration<double>(plan.duration).count(), plan.repetitions);
  for (const SystemKind& kind : plan.systems) {
    text += fmt::format("  {:<13} {}\n", kind.name, kind.what);
  }
  for (std::size_t w = 0; w < plan.workloads.size(); ++w)
    text += fmt::format("\n{}", table(plan, all, w));
  text += '\n';
  for (const Goal& goal : goals(plan, all)) {
    text += fmt::format("{:<8} {} ({:.2f})\n", goal.met ? "met" : "NOT MET", goal.text,
                        goal.ratio.spread.median);
  }
  return text;
}

}  // namespace cede::bench
