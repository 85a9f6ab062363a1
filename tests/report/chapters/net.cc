// SPDX-License-Identifier: Apache-2.0
// Networks: cede-bench net.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <stdexcept>

#include "tests/report/chapters/chapters.h"
#include "tests/report/chapters/ratios.h"
#include "tests/report/reading.h"
#include "tests/report/systems.h"

namespace cede::report {
namespace {

namespace json = boost::json;

// How to say what a workload's rate and processor time are.
struct Words {
  std::string_view workload;
  std::string_view title;
  std::string_view unit;  // of the rate
  std::string_view cost;  // what processor time is given for: so much of the rate's
  double cost_scale = 1;
};
constexpr std::array<Words, 5> kWords = {{
    {"tcp", "One TCP connection", "/s", "a gigabyte", 8e9},
    {"udp-64", "UDP in frames of 64 bytes", "/s", "a packet", 1},
    {"ping", "ICMP echoes, one after the other", "/s", "an echo", 1},
    {"ping-1ms", "ICMP echoes, with pauses of a millisecond", "/s", "an echo", 1},
    {"pmd-64", "Frames of 64 bytes, testpmd to testpmd", "/s", "a frame", 1},
}};

Words words_for(std::string_view workload) {
  const auto known = std::ranges::find(kWords, workload, &Words::workload);
  return known == kWords.end() ? Words{workload, workload, "/s", "a unit", 1} : *known;
}

double cost(const json::value& sample, double scale) {
  double seconds = 0;
  for (const json::value& use : items(sample, "cpu")) seconds += number(use, "seconds");
  return seconds * scale / (number(sample, "rate") * number(sample, "seconds"));
}

template <class Figure>
void show(Section& section, const json::value& workload, const std::string& title,
          std::string_view unit, Scale scale, Figure figure) {
  std::vector<BarGroup> groups(1);
  for (const json::value& system : items(workload, "systems")) {
    const SystemLook look = look_of(words(system, "name"));
    groups.front().bars.push_back(
        {look.name, look.tone, spread_over(items(system, "samples"), figure)});
  }
  if (!keep_measured(groups)) return;
  section.exhibits.push_back({title, Bars{std::string(unit), scale, {}, std::move(groups)}});
}

}  // namespace

Chapter read_net(const json::value& results) {
  if (items(results, "workloads").empty()) throw std::runtime_error("no workload was measured");
  Chapter chapter;
  chapter.machine = machine_of(results);
  chapter.comparable = {
      sampling_of(results),
      "Two network namespaces, joined by each system and loaded by the same process. Cede's switch "
      "and vde_switch are processes outside the kernel; only Cede's cannot see the memory of those "
      "that it joins. The bridge is the kernel itself. What spins (testpmd) compares only with "
      "what "
      "spins."};
  Section rates{"Rates", {"Packets and echoes a second; of TCP, bits."}, {}, {}, false};
  Section latencies{"Latency", {"Of an echo, there and back, logarithmic."}, {}, {}, false};
  Section costs{"Processor time",
                {"Of everybody: load, kernel, switch, and whatever else the machine did."},
                {},
                {},
                false};
  std::vector<BarGroup> ratios;
  for (const json::value& workload : items(results, "workloads")) {
    const Words say = words_for(words(workload, "name"));
    const std::string title(say.title);
    show(rates, workload, title, say.workload == "tcp" ? "bit/s" : say.unit, Scale::Linear,
         [](const json::value& sample) { return number(sample, "rate"); });
    for (const char* percentile : {"p50_us", "p99_us"}) {
      show(latencies, workload,
           fmt::format("{}: {}", title, std::string_view(percentile).substr(0, 3)), "us",
           Scale::Log, [&](const json::value& sample) { return number(sample, percentile); });
    }
    show(costs, workload, fmt::format("{}: for {}", title, say.cost), "s", Scale::Linear,
         [&](const json::value& sample) { return cost(sample, say.cost_scale); });
    ratios.push_back(ratio_group(workload, title));
    for (const json::value& ratio : items(workload, "ratios")) {
      const json::value& met = member(ratio, "met");
      if (!met.is_bool()) continue;
      chapter.headlines.push_back(
          ratio_headline(fmt::format("{}: {} / {}", title, look_of(words(ratio, "over")).name,
                                     look_of(words(ratio, "under")).name),
                         number(ratio, "median"), number(ratio, "goal"), met.get_bool()));
    }
  }
  Section side_by_side{"Side by side",
                       {"One's rate over the other's, sample by sample: beyond 1, the first is "
                        "faster."},
                       {},
                       {},
                       false};
  if (keep_measured(ratios)) {
    side_by_side.exhibits.push_back({"Ratios", ratio_plot(std::move(ratios))});
  }
  for (Section& section : std::array{rates, side_by_side, latencies, costs}) {
    if (!section.exhibits.empty()) chapter.sections.push_back(std::move(section));
  }
  return chapter;
}

}  // namespace cede::report
