// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/ring/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <string_view>

#include "tests/bench/machine.h"
#include "tests/bench/ring/comparison.h"

namespace cede::bench::ring {
namespace {

std::string entry(std::string_view text) {
  return fmt::format("{:>14}", text);
}

std::string heading(const RingPlan& plan, std::string_view title, std::string_view explanation) {
  std::string text = fmt::format("\n{}: {}\n{:<28}", title, explanation, "");
  for (const Entrant& entrant : plan.contenders) text += entry(entrant.name);
  return text + '\n';
}

// "12.31 +-4%".
std::string rate_of(const Summary& summary) {
  const Middle& rate = summary.rate;
  return fmt::format("{:.2f} +-{:.0f}%", rate.median / 1e6,
                     50 * (rate.upper - rate.lower) / rate.median);
}

std::string trips_of(const Summary& summary) {
  return fmt::format("{:.0f}/{:.0f}", summary.p50, summary.p99);
}

// A row for each cell, of the class in which it is compared.
std::string rows(const std::vector<CellResult>& all,
                 const std::function<std::string(const Summary&)>& figure) {
  std::string text;
  for (const CellResult& result : all) {
    text += fmt::format("{:<28}", result.cell.name());
    const std::optional<Nearness> nearness = common_nearness(result);
    if (!nearness) {
      text += "  the processors moved too often\n";
      continue;
    }
    for (const std::vector<RingSample>& samples : result.samples) {
      text += entry(figure(*summarize(samples, *nearness)));
    }
    text += fmt::format("  {}\n", to_string(*nearness));
  }
  return text;
}

std::string traffic_table(const RingPlan& plan, const std::vector<CellResult>& all) {
  std::string text = heading(plan, "Cache lines that move for each round trip",
                             "from one core to the other, and, after the +, lines that the other "
                             "had to drop; counted, not measured");
  std::vector<std::string> seen;
  for (const CellResult& result : all) {
    const std::string name = fmt::format("{}B/{}of{}", result.cell.slot_bytes,
                                         result.cell.load.batch, result.cell.load.window);
    if (result.cell.place == Place::Together || std::ranges::count(seen, name) != 0) continue;
    seen.push_back(name);
    text += fmt::format("{:<28}", name);
    for (const std::optional<TrafficPerTrip>& traffic : result.traffic) {
      text += entry(
          traffic ? fmt::format("{:.2f}+{:.2f}", traffic->transfers, traffic->invalidations) : "-");
    }
    text += '\n';
  }
  return seen.empty() ? "" : text;
}

struct Group {
  std::string_view name;
  bool (*has)(const Cell&);
};
constexpr std::array<Group, 4> kGroups = {{
    {"two processors, spinning",
     [](const Cell& cell) { return cell.place != Place::Together && cell.wait == Wait::Spin; }},
    {"two processors, sleeping", [](const Cell& cell) { return cell.wait == Wait::Sleep; }},
    {"one thread", [](const Cell& cell) { return cell.place == Place::Together; }},
    {"the whole table", [](const Cell&) { return true; }},
}};

std::string standing_line(const Standing& standing, bool with_goal) {
  std::string text = fmt::format("  cede / {:<10} {:.2f}x ({:.2f}..{:.2f}), {} cells, behind in {}",
                                 standing.against.name, standing.ratio, standing.least,
                                 standing.most, standing.cells, standing.behind.size());
  if (with_goal && standing.against.goal != 0) {
    text += fmt::format("   goal {:.2f}: {}", standing.against.goal,
                        standing.ratio >= standing.against.goal ? "met" : "NOT MET");
  }
  return text + '\n';
}

std::size_t place_of(const RingPlan& plan, ContenderId id) {
  const auto place = std::ranges::find(plan.contenders, id, &Entrant::id);
  return static_cast<std::size_t>(place - plan.contenders.begin());
}

// What the model says of a cell in which Cede is behind the floor, which has the same slots.
std::string above_the_floor(const RingPlan& plan, const CellResult& result) {
  const auto& cede = result.traffic[place_of(plan, ContenderId::Cede)];
  const auto& floor = result.traffic[place_of(plan, ContenderId::Floor)];
  if (!cede || !floor) return "";
  const double more = cede->transfers - floor->transfers;
  return more < 0.005 ? "the same lines move: instructions and fences"
                      : fmt::format("{:.2f} lines more move, those of the indices", more);
}

std::string behind_line(const RingPlan& plan, const std::vector<CellResult>& all,
                        const Standing& standing, const std::string& cell) {
  if (standing.against.id != ContenderId::Floor) return fmt::format("      {}\n", cell);
  const auto result =
      std::ranges::find(all, cell, [](const CellResult& one) { return one.cell.name(); });
  return fmt::format("      {:<28}{}\n", cell, above_the_floor(plan, *result));
}

std::string standings_table(const RingPlan& plan, const std::vector<CellResult>& all) {
  std::string text;
  for (const Group& group : kGroups) {
    const std::vector<Standing> found = standings(plan, all, group.has);
    if (found.empty()) continue;
    const bool whole = &group == &kGroups.back();
    text += fmt::format("\nRates, {}: geometric mean (worst..best cell)\n", group.name);
    for (const Standing& standing : found) {
      text += standing_line(standing, whole);
      if (!whole) continue;
      for (const std::string& cell : standing.behind) {
        text += behind_line(plan, all, standing, cell);
      }
    }
  }
  return text;
}

}  // namespace

std::string as_tables(const RingPlan& plan, const std::vector<CellResult>& all) {
  std::string text = fmt::format(
      "{}\nsamples of {:.0f} ms, {} repetitions, interleaved. Each row has samples of one nearness "
      "of the two\nprocessors only, and compares with rows of the same nearness.\n",
      describe_machine(), std::chrono::duration<double, std::milli>(plan.duration).count(),
      plan.repetitions);
  for (const Entrant& entrant : plan.contenders) {
    text += fmt::format("  {:<10} {}\n", entrant.name, entrant.what);
  }
  text += heading(plan, "Rate",
                  "millions of round trips a second, median, half the spread of the "
                  "middle half");
  text += rows(all, rate_of);
  text += heading(plan, "Latency", "nanoseconds of the first request of a batch, p50/p99, medians");
  text += rows(all, trips_of);
  text += traffic_table(plan, all);
  return text + standings_table(plan, all);
}

std::uint64_t wrong_responses(const std::vector<CellResult>& all) {
  std::uint64_t wrong = 0;
  for (const CellResult& result : all) {
    for (const auto& samples : result.samples) {
      for (const RingSample& sample : samples) wrong += sample.trial.wrong;
    }
  }
  return wrong;
}

}  // namespace cede::bench::ring
