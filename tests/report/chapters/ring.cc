// SPDX-License-Identifier: Apache-2.0
// Rings: cede-bench ring.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <stdexcept>

#include "tests/report/chapters/chapters.h"
#include "tests/report/chapters/ratios.h"
#include "tests/report/quantity.h"
#include "tests/report/reading.h"
#include "tests/report/systems.h"

namespace cede::report {
namespace {

namespace json = boost::json;

// Over the samples that compare: those during which the processors were as near to each other as
// during the others' of their cell.
bench::Spread figure_of(const json::value& cell, const json::value& contender,
                        std::string_view figure) {
  const std::string wanted = words(cell, "compared_when");
  return spread_over(items(contender, "samples"), [&](const json::value& sample) {
    return words(sample, "nearness") == wanted ? number(sample, figure) : std::nan("");
  });
}

std::vector<std::string> contenders_of(const json::value& results) {
  std::vector<std::string> names;
  for (const json::value& cell : items(results, "cells")) {
    for (const json::value& contender : items(cell, "contenders")) {
      const std::string name = words(contender, "name");
      if (std::ranges::count(names, name) == 0) names.push_back(name);
    }
  }
  return names;
}

// By how near it comes to the row's best.
Heat heat_of(double share) {
  if (!std::isfinite(share)) return Heat::None;
  if (share >= 0.95) return Heat::Good;
  if (share >= 0.7) return Heat::Fair;
  return share >= 0.4 ? Heat::Poor : Heat::Bad;
}

Matrix rates_of(const json::value& results, const std::vector<std::string>& contenders) {
  Matrix matrix;
  for (const std::string& name : contenders) matrix.columns.push_back(look_of(name).name);
  for (const json::value& cell : items(results, "cells")) {
    std::map<std::string, double> rates;
    double best = 0;
    for (const json::value& contender : items(cell, "contenders")) {
      const double rate = figure_of(cell, contender, "rate").median;
      const std::string name = words(contender, "name");
      rates[name] = rate;
      if (rate > best && name != "floor") best = rate;
    }
    MatrixRow row{words(cell, "name"), words(cell, "compared_when"), {}, {}};
    for (const std::string& name : contenders) {
      const double rate = rates.contains(name) ? rates[name] : std::nan("");
      row.cells.push_back(
          {quantity(rate, "/s"), name == "floor" ? Heat::None : heat_of(rate / best), {}});
    }
    matrix.rows.push_back(std::move(row));
  }
  return matrix;
}

// "threads/spin/64B/8of32" without its load: what stays the same along a line.
std::string family_of(const std::string& cell) {
  return cell.substr(0, cell.rfind('/'));
}

// A plot for each family of cells: the figure over the batch's size.
std::vector<Exhibit> lines_of(const json::value& results, std::string_view figure,
                              const std::string& unit) {
  std::vector<Exhibit> exhibits;
  for (const json::value& cell : items(results, "cells")) {
    const std::string family = family_of(words(cell, "name"));
    auto exhibit = std::ranges::find(exhibits, family, &Exhibit::title);
    if (exhibit == exhibits.end()) {
      exhibit = exhibits.insert(
          exhibits.end(), {family, Lines{"requests in flight", Scale::Log, unit, Scale::Log, {}}});
    }
    std::vector<Series>& series = std::get<Lines>(exhibit->what).series;
    for (const json::value& contender : items(cell, "contenders")) {
      const bench::Spread value = figure_of(cell, contender, figure);
      if (!is_there(value)) continue;
      const SystemLook look = look_of(words(contender, "name"));
      auto line = std::ranges::find(series, look.name, &Series::name);
      if (line == series.end()) line = series.insert(series.end(), {look.name, look.tone, {}});
      line->points.push_back({number(cell, "window"), value});
    }
  }
  for (Exhibit& exhibit : exhibits) {
    for (Series& series : std::get<Lines>(exhibit.what).series) {
      std::ranges::sort(series.points, {}, &Point::x);
    }
  }
  std::erase_if(exhibits,
                [](const Exhibit& one) { return std::get<Lines>(one.what).series.empty(); });
  return exhibits;
}

// Lines that move for a round trip, in cells of one load each: the same on every machine.
std::vector<BarGroup> traffic_of(const json::value& results) {
  std::vector<BarGroup> groups;
  for (const json::value& cell : items(results, "cells")) {
    std::string name = fmt::format("{} B, {} in flight, batches of {}", number(cell, "slot_bytes"),
                                   number(cell, "window"), number(cell, "batch"));
    if (std::ranges::find(groups, name, &BarGroup::name) != groups.end()) continue;
    BarGroup group{std::move(name), {}};
    for (const json::value& contender : items(cell, "contenders")) {
      const SystemLook look = look_of(words(contender, "name"));
      group.bars.push_back({look.name, look.tone, spread(member(contender, "transfers"))});
    }
    groups.push_back(std::move(group));
  }
  return groups;
}

BarGroup standings_of(const json::value& results) {
  BarGroup group{{}, {}};
  for (const json::value& ratio : items(results, "ratios")) {
    const SystemLook under = look_of(words(ratio, "under"));
    group.bars.push_back(
        {"Cede / " + under.name,
         under.tone,
         {number(ratio, "geometric_mean"), number(ratio, "min"), number(ratio, "max")}});
  }
  return group;
}

}  // namespace

Chapter read_ring(const json::value& results) {
  if (items(results, "cells").empty()) throw std::runtime_error("no cell was measured");
  Chapter chapter;
  chapter.machine = machine_of(results);
  for (const json::value& ratio : items(results, "ratios")) {
    const json::value& met = member(ratio, "met");
    if (!met.is_bool()) continue;
    chapter.headlines.push_back(ratio_headline(
        fmt::format("Cede's ring / {}, over all cells", look_of(words(ratio, "under")).name),
        number(ratio, "geometric_mean"), number(ratio, "goal"), met.get_bool()));
  }
  chapter.comparable = {
      sampling_of(results),
      "Each row has samples of one nearness of the two processors (siblings, near, apart), which "
      "stands below its name: hosts move virtual processors about, and figures move with them by "
      "up "
      "to five times. Compare within a row, and between rows of the same nearness. The counted "
      "transfers do not depend on the machine."};
  std::vector<BarGroup> standings{standings_of(results)};
  if (keep_measured(standings)) {
    chapter.sections.push_back(
        {"Standing",
         {"Cede's rate over each other's: geometric mean over all cells, whiskers from its worst "
          "cell to its best."},
         {{"Over the table", ratio_plot(std::move(standings))}},
         {},
         false});
  }
  chapter.sections.push_back({"Rates",
                              {"Round trips a second. Colours: how near to the best ring of the "
                               "row; the floor has neither fences nor doorbells and is no ring."},
                              {{"Round trips a second", rates_of(results, contenders_of(results))}},
                              {},
                              false});
  chapter.sections.push_back({"Rates over load", {}, lines_of(results, "rate", "/s"), {}, true});
  chapter.sections.push_back({"Latency: the 99th percentile of the first request of a batch",
                              {},
                              lines_of(results, "p99_ns", "ns"),
                              {},
                              true});
  std::vector<BarGroup> traffic = traffic_of(results);
  if (keep_measured(traffic)) {
    Section section{"Cache lines that move for a round trip",
                    {"Counted by a model of two caches that the same code runs on."},
                    {},
                    {},
                    true};
    for (BarGroup& group : traffic) {
      const std::string title = group.name;
      group.name.clear();
      section.exhibits.push_back({title, Bars{"lines", Scale::Linear, {}, {std::move(group)}}});
    }
    chapter.sections.push_back(std::move(section));
  }
  return chapter;
}

}  // namespace cede::report
