// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/net/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <optional>

#include "tests/bench/machine.h"
#include "tests/bench/spread.h"

namespace cede::bench {
namespace {

namespace json = boost::json;

template <class Value>
Spread spread_over(const std::vector<NetSample>& samples, Value value) {
  std::vector<double> values;
  values.reserve(samples.size());
  for (const NetSample& sample : samples) values.push_back(value(sample));
  return spread_of(std::move(values));
}

// One system's rate over another's, repetition by repetition: the two samples of one are neighbours
// in time, so a change of the machine between repetitions does not count.
struct Ratio {
  std::string_view over;
  std::string_view under;
  Spread spread;
  std::optional<double> wanted;
};

std::optional<double> goal_of(std::string_view workload, std::string_view under) {
  for (const NetGoal& goal : net_goals()) {
    if (goal.workload == workload && goal.under == under) return goal.wanted;
  }
  return std::nullopt;
}

std::vector<Ratio> ratios(const NetResult& result) {
  const auto& systems = result.workload.systems;
  const auto compared = std::ranges::find(systems, result.workload.compared, &NetSystem::name);
  if (compared == systems.end()) return {};
  const auto& over = result.samples[static_cast<std::size_t>(compared - systems.begin())];
  std::vector<Ratio> found;
  for (std::size_t s = 0; s < systems.size(); ++s) {
    if (systems[s].name == compared->name) continue;
    std::vector<double> values;
    for (std::size_t i = 0; i < over.size(); ++i) {
      values.push_back(over[i].rate / result.samples[s][i].rate);
    }
    found.push_back({compared->name, systems[s].name, spread_of(std::move(values)),
                     goal_of(result.workload.name, systems[s].name)});
  }
  return found;
}

// Seconds of processor time for so much as the workload says.
double cost(const NetWorkload& workload, const NetSample& sample, double seconds) {
  return seconds * workload.per_scale / (sample.rate * sample.seconds);
}

// "1.20 = load 0.40 + switch 0.30 + ...", medians of each; what did next to nothing is left out.
std::string processor_use(const NetWorkload& workload, const std::vector<NetSample>& samples) {
  const double all = spread_over(samples, [&](const NetSample& sample) {
                       return cost(workload, sample, sample.processor_seconds());
                     }).median;
  std::string text = fmt::format("{:.2f} =", all);
  for (std::size_t i = 0; i < samples.front().uses.size(); ++i) {
    const double part = spread_over(samples, [&](const NetSample& sample) {
                          return cost(workload, sample, sample.uses[i].seconds);
                        }).median;
    if (part < all / 100) continue;
    text +=
        fmt::format("{} {} {:.2f}", text.ends_with('=') ? "" : " +", samples[0].uses[i].role, part);
  }
  return text;
}

std::string table(const NetResult& result) {
  const NetWorkload& workload = result.workload;
  std::vector<double> trips;
  for (const auto& samples : result.samples) {
    for (const NetSample& sample : samples) trips.push_back(sample.round_trip);
  }
  const Spread trip = spread_of(std::move(trips));
  std::string text = fmt::format(
      "{}: {}   (cache line there and back {:.0f} ns, {:.0f} to {:.0f})\n  {:<11} {:>8} {:<18}{} "
      "CPU s per {}\n",
      workload.name, workload.what, trip.median, trip.least, trip.most, "system", workload.unit,
      "(min..max)", workload.timed ? "   p50 us   p99 us " : "", workload.per);
  for (std::size_t s = 0; s < workload.systems.size(); ++s) {
    const std::vector<NetSample>& samples = result.samples[s];
    const Spread rate =
        spread_over(samples, [&](const NetSample& sample) { return sample.rate / workload.scale; });
    text += fmt::format("  {:<11} {:>8.2f} {:<18}", workload.systems[s].name, rate.median,
                        fmt::format("({:.2f}..{:.2f})", rate.least, rate.most));
    if (workload.timed) {
      text += fmt::format(
          " {:>8.1f} {:>8.1f} ",
          spread_over(samples, [](const NetSample& sample) { return sample.p50; }).median,
          spread_over(samples, [](const NetSample& sample) { return sample.p99; }).median);
    }
    text += fmt::format(" {}\n", processor_use(workload, samples));
  }
  for (const Ratio& ratio : ratios(result)) {
    text += fmt::format("  {} / {}: {:.2f}x ({:.2f}..{:.2f})", ratio.over, ratio.under,
                        ratio.spread.median, ratio.spread.least, ratio.spread.most);
    if (ratio.wanted) {
      text += fmt::format("   goal {:.2f}: {}", *ratio.wanted,
                          ratio.spread.median >= *ratio.wanted ? "met" : "NOT MET");
    }
    text += '\n';
  }
  return text;
}

json::object from_sample(const NetWorkload& workload, const NetSample& sample) {
  json::array uses;
  for (const NetSample::Use& use : sample.uses) {
    uses.push_back(json::object{{"process", use.role}, {"seconds", use.seconds}});
  }
  json::object object{{"rate", sample.rate},
                      {"errors", sample.errors},
                      {"seconds", sample.seconds},
                      {"round_trip_ns", sample.round_trip},
                      {"cpu", std::move(uses)}};
  if (workload.timed) {
    object["p50_us"] = sample.p50;
    object["p99_us"] = sample.p99;
  }
  return object;
}

json::object from_ratio(const Ratio& ratio) {
  json::object object{{"over", ratio.over},
                      {"under", ratio.under},
                      {"median", ratio.spread.median},
                      {"min", ratio.spread.least},
                      {"max", ratio.spread.most}};
  if (ratio.wanted) {
    object["goal"] = *ratio.wanted;
    object["met"] = ratio.spread.median >= *ratio.wanted;
  }
  return object;
}

}  // namespace

std::string as_tables(const NetPlan& plan, const std::vector<NetResult>& all) {
  std::string text = fmt::format(
      "{}\nsamples of {:.1f} s, {} repetitions, interleaved; medians\n", describe_machine(),
      std::chrono::duration<double>(plan.duration).count(), plan.repetitions);
  for (const NetResult& result : all) text += fmt::format("\n{}", table(result));
  return text;
}

std::string as_json(const NetPlan& plan, const std::vector<NetResult>& all) {
  json::array workloads;
  for (const NetResult& result : all) {
    json::array systems;
    for (std::size_t s = 0; s < result.samples.size(); ++s) {
      json::array samples;
      for (const NetSample& sample : result.samples[s]) {
        samples.push_back(from_sample(result.workload, sample));
      }
      systems.push_back(
          json::object{{"name", result.workload.systems[s].name}, {"samples", std::move(samples)}});
    }
    json::array compared;
    for (const Ratio& ratio : ratios(result)) compared.push_back(from_ratio(ratio));
    workloads.push_back(json::object{{"name", result.workload.name},
                                     {"systems", std::move(systems)},
                                     {"ratios", std::move(compared)}});
  }
  const std::chrono::duration<double> duration = plan.duration;
  return json::serialize(json::object{{"machine", describe_machine()},
                                      {"sample_seconds", duration.count()},
                                      {"repetitions", plan.repetitions},
                                      {"workloads", std::move(workloads)}}) +
         '\n';
}

std::uint64_t failed_operations(const std::vector<NetResult>& all) {
  std::uint64_t failed = 0;
  for (const NetResult& result : all) {
    for (const auto& samples : result.samples) {
      for (const NetSample& sample : samples) failed += sample.errors;
    }
  }
  return failed;
}

}  // namespace cede::bench
