// SPDX-License-Identifier: Apache-2.0
// Disks: cede-bench blk.
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <stdexcept>
#include <string_view>

#include "tests/report/chapters/chapters.h"
#include "tests/report/chapters/ratios.h"
#include "tests/report/quantity.h"
#include "tests/report/reading.h"
#include "tests/report/systems.h"

namespace cede::report {
namespace {

namespace json = boost::json;

// "randread-4k-qd32": what is done, and under which load.
struct WorkloadName {
  std::string deed;
  std::string load;
};

WorkloadName parse(std::string_view name) {
  const std::size_t dash = name.find('-');
  WorkloadName parsed{std::string(name.substr(0, dash)), {}};
  if (parsed.deed.starts_with("rand")) parsed.deed = "random " + parsed.deed.substr(4);
  if (dash == std::string_view::npos) return parsed;
  parsed.load = name.substr(dash + 1);
  const std::size_t depth = parsed.load.find("-qd");
  if (depth == std::string::npos || parsed.load.find('k') + 1 != depth) return parsed;
  parsed.load = fmt::format("{} KiB, {}", parsed.load.substr(0, depth - 1),
                            parsed.load.substr(depth) == "-qd1"
                                ? "one at a time"
                                : parsed.load.substr(depth + 3) + " in flight");
  return parsed;
}

// Of all but the client; where that is all there is, of the client.
double server_seconds(const json::value& sample) {
  double servers = 0;
  double client = 0;
  for (const json::value& use : items(sample, "cpu_seconds_per_million")) {
    (words(use, "process") == "client" ? client : servers) += number(use, "seconds");
  }
  return items(sample, "cpu_seconds_per_million").size() > 1 ? servers : client;
}

using Figure = std::function<double(const json::value& sample)>;

// A plot for each load: its workloads are groups, and their systems bars.
std::vector<Exhibit> exhibits(const json::value& results, const std::string& unit, Scale scale,
                              const Figure& figure) {
  std::vector<std::pair<std::string, std::vector<BarGroup>>> loads;
  for (const json::value& workload : items(results, "workloads")) {
    WorkloadName name = parse(words(workload, "name"));
    BarGroup group{std::move(name.deed), {}};
    for (const json::value& system : items(workload, "systems")) {
      const SystemLook look = look_of(words(system, "name"));
      group.bars.push_back({look.name, look.tone, spread_over(items(system, "samples"), figure)});
    }
    auto load = std::ranges::find_if(loads, [&](auto& one) { return one.first == name.load; });
    if (load == loads.end()) load = loads.insert(loads.end(), {name.load, {}});
    load->second.push_back(std::move(group));
  }
  std::vector<Exhibit> all;
  for (auto& [load, groups] : loads) {
    if (!keep_measured(groups)) continue;
    all.push_back({load, Bars{unit, scale, {}, std::move(groups)}});
  }
  return all;
}

std::vector<BarGroup> ratio_groups(const json::value& results) {
  std::vector<BarGroup> groups;
  for (const json::value& workload : items(results, "workloads")) {
    const WorkloadName name = parse(words(workload, "name"));
    groups.push_back(ratio_group(workload, fmt::format("{}, {}", name.deed, name.load)));
  }
  return groups;
}

// "randread-4k-qd32: library at least 0.70 of raw" has its workload before the colon, and the
// number before " of ".
Headline headline_of(const json::value& goal) {
  const std::string text = words(goal, "goal");
  const json::value& ratio = member(goal, "ratio");
  const WorkloadName name = parse(std::string_view(text).substr(0, text.find(':')));
  const json::value& met = member(goal, "met");
  return {fmt::format("{} / {}, {}, {}", look_of(words(ratio, "over")).name,
                      look_of(words(ratio, "under")).name, name.deed, name.load),
          quantity(number(ratio, "median"), "x"),
          text.substr(std::min(text.find(':') + 2, text.size())),
          met.is_bool() && met.get_bool() ? Judgement::Good : Judgement::Bad};
}

// How much of the machine others used, and how near its processors were to each other.
std::string disturbance(const json::value& results) {
  double others = 0;
  double nearest = std::numeric_limits<double>::max();
  double farthest = 0;
  for (const json::value& workload : items(results, "workloads")) {
    for (const json::value& system : items(workload, "systems")) {
      for (const json::value& sample : items(system, "samples")) {
        others = std::max(others, number(sample, "others_share"));
        nearest = std::min(nearest, number(sample, "round_trip_ns"));
        farthest = std::max(farthest, number(sample, "round_trip_ns"));
      }
    }
  }
  if (farthest == 0) return {};
  return fmt::format(
      "Others used up to {:.0f} % of the machine during a sample, and a cache line took {} to {} "
      "between two processors, there and back: where these vary, small differences mean nothing.",
      100 * others, quantity(nearest, "ns"), quantity(farthest, "ns"));
}

}  // namespace

Chapter read_block(const json::value& results) {
  if (items(results, "workloads").empty()) throw std::runtime_error("no workload was measured");
  Chapter chapter;
  chapter.machine = machine_of(results);
  for (const json::value& goal : items(results, "goals")) {
    chapter.headlines.push_back(headline_of(goal));
  }
  chapter.comparable = {
      sampling_of(results),
      "All systems serve an image in memory, and meet the same load generator. Raw io_uring has no "
      "server at all: it is what isolation is paid from. Cede's library beside it, and Cede's "
      "endpoint beside qemu-storage-daemon (QSD), which both serve a vhost-user-blk client, are "
      "what "
      "compares.",
      disturbance(results)};
  chapter.sections.push_back(
      {"Operations",
       {"Operations a second."},
       exhibits(results, "/s", Scale::Linear,
                [](const json::value& sample) { return number(sample, "iops"); }),
       {},
       false});
  std::vector<BarGroup> ratios = ratio_groups(results);
  if (keep_measured(ratios)) {
    chapter.sections.push_back({"Side by side",
                                {"Operations a second of one over the other's, sample by sample: "
                                 "beyond 1, the first is faster."},
                                {{"Ratios", ratio_plot(std::move(ratios))}},
                                {},
                                false});
  }
  chapter.sections.push_back(
      {"Latency",
       {"The 99th percentile, logarithmic; from a histogram."},
       exhibits(results, "us", Scale::Log,
                [](const json::value& sample) { return number(sample, "p99_us"); }),
       {},
       false});
  chapter.sections.push_back(
      {"Processor time",
       {"For one operation, of all servers together; of raw io_uring, which has none, the client."},
       exhibits(results, "us", Scale::Linear, server_seconds),
       {},
       false});
  return chapter;
}

}  // namespace cede::report
