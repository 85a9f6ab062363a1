// SPDX-License-Identifier: Apache-2.0
// Death and return: cede-bench recovery.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <stdexcept>

#include "tests/report/chapters/chapters.h"
#include "tests/report/chapters/ratios.h"
#include "tests/report/quantity.h"
#include "tests/report/reading.h"
#include "tests/report/systems.h"

namespace cede::report {
namespace {

namespace json = boost::json;

struct Words {
  std::string_view workload;
  std::string_view exhibit;  // that it shares with others
  std::string_view name;     // of its group there
};
constexpr std::string_view kPause = "What a guest notices";
constexpr std::string_view kSession = "A session of 1 MiB";
constexpr std::string_view kChurn = "Sessions that come and go";
constexpr std::array<Words, 7> kWords = {{
    {"crash", kPause, "driver killed: until the first answer"},
    {"restart", kPause, "cede restart: the longest wait"},
    {"read", "A read of 4 KiB, for comparison", "one after another, nothing wrong"},
    {"connect", kSession, "connects"},
    {"disconnect", kSession, "closes, its pages proven free"},
    {"churn-1", kChurn, "one client"},
    {"churn-8", kChurn, "eight clients at a time"},
}};

Words words_for(std::string_view workload) {
  const auto known = std::ranges::find(kWords, workload, &Words::workload);
  return known == kWords.end() ? Words{workload, workload, workload} : *known;
}

// "per s" is a rate.
std::string unit_of(const json::value& row) {
  const std::string unit = words(row, "unit");
  return unit == "per s" ? "/s" : unit;
}

void add(std::vector<Exhibit>& exhibits, const json::value& row) {
  const Words say = words_for(words(row, "workload"));
  auto exhibit = std::ranges::find(exhibits, say.exhibit, &Exhibit::title);
  if (exhibit == exhibits.end()) {
    exhibit = exhibits.insert(
        exhibits.end(), {std::string(say.exhibit), Bars{unit_of(row), Scale::Linear, {}, {}}});
  }
  std::vector<BarGroup>& groups = std::get<Bars>(exhibit->what).groups;
  auto group = std::ranges::find(groups, say.name, &BarGroup::name);
  if (group == groups.end()) group = groups.insert(groups.end(), {std::string(say.name), {}});
  const SystemLook look = look_of(words(row, "system"));
  group->bars.push_back({look.name, look.tone, spread(row)});
}

}  // namespace

Chapter read_recovery(const json::value& results) {
  Chapter chapter;
  chapter.machine = machine_of(results);
  chapter.comparable = {
      sampling_of(results),
      "Of the time after a crash, the supervisor waits 0.1 s on purpose. A guest sees no error in "
      "either case: what was in flight is replayed. Drivers in a VM boot again, which takes what "
      "the machine's virtualization allows; without KVM they are emulated."};
  Section section{{}, {}, {}, {}, false};
  for (const json::value& row : items(results, "rows")) {
    if (!is_there(spread(row))) continue;
    add(section.exhibits, row);
    const std::string workload = words(row, "workload");
    const std::string system = words(row, "system");
    if (workload != "crash" && workload != "restart" && workload != "connect") continue;
    chapter.headlines.push_back(
        {fmt::format("{}: {}", look_of(system).name, words_for(workload).name),
         quantity(number(row, "median"), unit_of(row)),
         {},
         Judgement::None});
  }
  if (section.exhibits.empty()) throw std::runtime_error("no row was measured");
  chapter.sections.push_back(std::move(section));
  return chapter;
}

}  // namespace cede::report
