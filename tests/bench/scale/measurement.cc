// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/scale/measurement.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <numeric>
#include <stdexcept>

#include "tests/bench/interrupt.h"
#include "tests/bench/machine.h"
#include "tests/bench/scale/fleet.h"
#include "tests/bench/scale/process_figures.h"

namespace cede::bench {
namespace {

constexpr std::uint64_t kImageBytes = 256U << 20;  // of all volumes together
// What a broker and a driver still have to do when everybody is connected is over by then.
constexpr auto kSettle = std::chrono::milliseconds(300);
// Pollers need some time to find their pace.
constexpr auto kWarmUp = std::chrono::milliseconds(100);

void sleep_for(std::chrono::nanoseconds duration) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(duration);
  (void)::poll(nullptr, 0, static_cast<int>(left.count()));
  throw_if_interrupted();
}

// Jain's index of fairness.
double fairness_of(const std::vector<double>& shares) {
  const double sum = std::accumulate(shares.begin(), shares.end(), 0.0);
  const double squares = std::inner_product(shares.begin(), shares.end(), shares.begin(), 0.0);
  return squares == 0 ? 0 : sum * sum / (static_cast<double>(shares.size()) * squares);
}

struct Counts {
  double seconds = 0;  // of processor time
  double switches = 0;
};

Counts counts_of(pid_t pid) {
  return {process_seconds(pid), context_switches(pid)};
}

void measure_idle(const ScalePlan& plan, pid_t broker, pid_t driver, ScaleSample& sample) {
  const Counts broker_before = counts_of(broker);
  const Counts driver_before = counts_of(driver);
  const std::uint64_t begin = now_ns();
  sleep_for(plan.duration);
  const double seconds = static_cast<double>(now_ns() - begin) / 1e9;
  const Counts broker_after = counts_of(broker);
  const Counts driver_after = counts_of(driver);
  sample.broker_wakeups = (broker_after.switches - broker_before.switches) / seconds;
  sample.broker_busy = 1e3 * (broker_after.seconds - broker_before.seconds) / seconds;
  sample.driver_wakeups = (driver_after.switches - driver_before.switches) / seconds;
  sample.driver_busy = 1e3 * (driver_after.seconds - driver_before.seconds) / seconds;
}

void measure_work(const ScalePlan& plan, Fleet& fleet, pid_t driver, ScaleSample& sample) {
  const FleetSample warm_up =
      fleet.read(plan.depth, std::min<std::chrono::nanoseconds>(kWarmUp, plan.duration));
  const double machine_before = machine_seconds();
  const double client_before = process_seconds(::getpid());
  const double driver_before = process_seconds(driver);
  const FleetSample work = fleet.read(plan.depth, plan.duration);
  const double driver_used = process_seconds(driver) - driver_before;
  const double ours = driver_used + process_seconds(::getpid()) - client_before;
  const double machine_used = machine_seconds() - machine_before;

  std::vector<double> rates;
  for (const std::uint64_t operations : work.operations) {
    rates.push_back(static_cast<double>(operations) / work.seconds);
  }
  const Spread spread = spread_of(rates);
  sample.iops = std::accumulate(rates.begin(), rates.end(), 0.0);
  sample.least = spread.least;
  sample.median = spread.median;
  sample.most = spread.most;
  sample.fairness = fairness_of(rates);
  sample.driver_cost = 1e6 * driver_used / (sample.iops * work.seconds);
  sample.others = std::max(0.0, (machine_used - ours) / (work.seconds * processors()));
  sample.errors = warm_up.errors + work.errors;
}

ScaleSample take_sample(const ScalePlan& plan, const RamImage& image, unsigned sessions) {
  ScaleSample sample;
  Fleet fleet(image, sessions);
  const pid_t broker = fleet.servers().front().pid;
  const pid_t driver = fleet.servers().back().pid;
  sleep_for(kSettle);
  const double broker_alone = memory_of(broker).own;
  const double driver_alone = memory_of(driver).own;

  const std::vector<double> times = fleet.connect();
  sample.connect_first = times.front();
  sample.connect_median = spread_of(times).median;
  sample.connect_last = times.back();

  sleep_for(kSettle);
  measure_idle(plan, broker, driver, sample);
  const ProcessMemory of_broker = memory_of(broker);
  const ProcessMemory of_driver = memory_of(driver);
  sample.broker_resident = of_broker.resident;
  sample.broker_for_session = (of_broker.own - broker_alone) / sessions;
  sample.driver_resident = of_driver.resident;
  sample.driver_proportional = of_driver.proportional;
  sample.driver_for_session = (of_driver.own - driver_alone) / sessions;

  measure_work(plan, fleet, driver, sample);
  return sample;
}

}  // namespace

const std::vector<ScaleFigure>& scale_figures() {
  constexpr std::string_view kConnect = "connect, all at once: ms until a session is there";
  constexpr std::string_view kMemory = "memory, idle: KiB; a session's is that beyond its pages";
  constexpr std::string_view kIdle = "idle: wake-ups a second, ms of processor time a second";
  constexpr std::string_view kActive = "active: I/Os a second; CPU us of the driver's for each";
  using S = ScaleSample;
  static const std::vector<ScaleFigure> kAll = {
      {"connect_first_ms", kConnect, "first", 1, &S::connect_first},
      {"connect_median_ms", kConnect, "median", 1, &S::connect_median},
      {"connect_last_ms", kConnect, "last", 1, &S::connect_last},
      {"driver_rss_kib", kMemory, "driver RSS", 0, &S::driver_resident},
      {"driver_pss_kib", kMemory, "PSS", 0, &S::driver_proportional},
      {"driver_kib_per_session", kMemory, "a session", 1, &S::driver_for_session},
      {"broker_rss_kib", kMemory, "broker RSS", 0, &S::broker_resident},
      {"broker_kib_per_session", kMemory, "a session", 1, &S::broker_for_session},
      {"idle_driver_wakeups_per_second", kIdle, "driver", 1, &S::driver_wakeups},
      {"idle_driver_cpu_ms_per_second", kIdle, "CPU", 2, &S::driver_busy},
      {"idle_broker_wakeups_per_second", kIdle, "broker", 1, &S::broker_wakeups},
      {"idle_broker_cpu_ms_per_second", kIdle, "CPU", 2, &S::broker_busy},
      {"iops", kActive, "all", 0, &S::iops},
      {"session_iops_min", kActive, "least", 0, &S::least},
      {"session_iops_median", kActive, "median", 0, &S::median},
      {"session_iops_max", kActive, "most", 0, &S::most},
      {"jain_index", kActive, "Jain", 4, &S::fairness},
      {"driver_cpu_us_per_io", kActive, "CPU us", 2, &S::driver_cost},
      {"others_share", kActive, "others", 3, &S::others},
  };
  return kAll;
}

Spread ScaleStep::spread(double ScaleSample::*value) const {
  std::vector<double> values;
  for (const ScaleSample& sample : samples) values.push_back(sample.*value);
  return spread_of(std::move(values));
}

std::vector<ScaleStep> measure(const ScalePlan& plan) {
  const RamImage image(kImageBytes);
  std::vector<ScaleStep> all;
  for (const unsigned sessions : plan.sessions) all.push_back({sessions, {}});
  for (unsigned repetition = 0; repetition < plan.repetitions; ++repetition) {
    fmt::print(stderr, "[{}/{}] {} steps\n", repetition + 1, plan.repetitions, all.size());
    for (ScaleStep& step : all) {
      throw_if_interrupted();
      try {
        step.samples.push_back(take_sample(plan, image, step.sessions));
      } catch (const std::exception& error) {
        throw std::runtime_error(fmt::format("{} sessions: {}", step.sessions, error.what()));
      }
    }
  }
  return all;
}

}  // namespace cede::bench
