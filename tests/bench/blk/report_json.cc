// SPDX-License-Identifier: Apache-2.0
#include <boost/json.hpp>

#include "tests/bench/blk/report.h"
#include "tests/bench/machine.h"

namespace cede::bench {
namespace {

namespace json = boost::json;

template <class Items, class Convert>
json::array to_list(const Items& items, Convert convert) {
  json::array list;
  for (const auto& item : items) list.push_back(convert(item));
  return list;
}

json::value from_sample(const Measured& measured) {
  return json::object{
      {"iops", measured.iops},
      {"megabytes_per_second", measured.megabytes},
      {"p50_us", measured.p50},
      {"p99_us", measured.p99},
      {"errors", measured.errors},
      {"others_share", measured.others},
      {"round_trip_ns", measured.round_trip},
      {"attempts", measured.attempts},
      {"cpu_seconds_per_million", to_list(measured.processes, [](const Measured::Use& use) {
         return json::object{{"process", use.role}, {"seconds", use.seconds}};
       })}};
}

json::object from_ratio(const Ratio& ratio) {
  return {{"over", ratio.over},
          {"under", ratio.under},
          {"median", ratio.spread.median},
          {"min", ratio.spread.least},
          {"max", ratio.spread.most}};
}

json::object from_goal(const Goal& goal) {
  return {{"goal", goal.text}, {"met", goal.met}, {"ratio", from_ratio(goal.ratio)}};
}

}  // namespace

std::string as_json(const Plan& plan, const Measurements& all) {
  json::array workloads;
  for (std::size_t w = 0; w < plan.workloads.size(); ++w) {
    json::array systems;
    for (std::size_t s = 0; s < plan.systems.size(); ++s) {
      systems.push_back(json::object{{"name", plan.systems[s].name},
                                     {"samples", to_list(all[w][s], from_sample)}});
    }
    workloads.push_back(json::object{{"name", plan.workloads[w].name},
                                     {"systems", std::move(systems)},
                                     {"ratios", to_list(ratios(plan, all, w), from_ratio)}});
  }
  const std::chrono::duration<double> duration = plan.duration;
  return json::serialize(json::object{{"machine", describe_machine()},
                                      {"image_bytes", plan.image_bytes},
                                      {"sample_seconds", duration.count()},
                                      {"repetitions", plan.repetitions},
                                      {"workloads", std::move(workloads)},
                                      {"goals", to_list(goals(plan, all), from_goal)}}) +
         '\n';
}

}  // namespace cede::bench
