// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/ring/comparison.h"

#include <algorithm>
#include <cmath>

namespace cede::bench::ring {
namespace {

// Of fewer samples the middle half says nothing.
constexpr std::size_t kForASpread = 3;

Middle middle_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const auto at = [&](double share) {
    const double place = share * static_cast<double>(values.size() - 1);
    const auto below = static_cast<std::size_t>(place);
    const std::size_t above = std::min(below + 1, values.size() - 1);
    return std::lerp(values[below], values[above], place - static_cast<double>(below));
  };
  return {at(0.5), at(0.25), at(0.75)};
}

}  // namespace

std::optional<Summary> summarize(const std::vector<RingSample>& samples, Nearness nearness) {
  std::vector<double> rates;
  std::vector<double> p50;
  std::vector<double> p99;
  std::vector<double> pings;
  for (const RingSample& sample : samples) {
    if (sample.nearness != nearness) continue;
    rates.push_back(sample.trial.rate);
    p50.push_back(sample.trial.p50);
    p99.push_back(sample.trial.p99);
    pings.push_back(sample.ping);
  }
  if (rates.empty()) return std::nullopt;
  const std::size_t count = rates.size();
  return Summary{count, middle_of(std::move(rates)), middle_of(std::move(p50)).median,
                 middle_of(std::move(p99)).median, middle_of(std::move(pings)).median};
}

std::optional<Nearness> common_nearness(const CellResult& result) {
  std::optional<Nearness> best;
  std::ptrdiff_t most = 0;
  for (const Nearness nearness : {Nearness::Siblings, Nearness::Near, Nearness::Apart}) {
    std::ptrdiff_t fewest = PTRDIFF_MAX;
    for (const std::vector<RingSample>& samples : result.samples) {
      fewest = std::min(
          fewest, std::count_if(samples.begin(), samples.end(), [&](const RingSample& sample) {
            return sample.nearness == nearness;
          }));
    }
    if (fewest <= most) continue;
    most = fewest;
    best = nearness;
  }
  return best;
}

std::vector<Standing> standings(const RingPlan& plan, const std::vector<CellResult>& all,
                                const std::function<bool(const Cell&)>& wanted) {
  const auto cede = std::ranges::find(plan.contenders, ContenderId::Cede, &Entrant::id);
  if (cede == plan.contenders.end()) return {};
  const auto own = static_cast<std::size_t>(cede - plan.contenders.begin());
  std::vector<Standing> found;
  for (std::size_t c = 0; c < plan.contenders.size(); ++c) {
    if (c == own) continue;
    Standing standing;
    standing.against = plan.contenders[c];
    double logarithms = 0;
    for (const CellResult& result : all) {
      const std::optional<Nearness> nearness = common_nearness(result);
      if (!nearness || !wanted(result.cell)) continue;
      const Summary own_summary = *summarize(result.samples[own], *nearness);
      const Summary summary = *summarize(result.samples[c], *nearness);
      const Middle& ours = own_summary.rate;
      const Middle& theirs = summary.rate;
      const double ratio = ours.median / theirs.median;
      logarithms += std::log(ratio);
      standing.least = standing.cells == 0 ? ratio : std::min(standing.least, ratio);
      standing.most = std::max(standing.most, ratio);
      ++standing.cells;
      const bool spread_known = std::min(own_summary.samples, summary.samples) >= kForASpread;
      if (spread_known && theirs.lower > ours.upper) standing.behind.push_back(result.cell.name());
    }
    if (standing.cells == 0) continue;
    standing.ratio = std::exp(logarithms / static_cast<double>(standing.cells));
    found.push_back(std::move(standing));
  }
  return found;
}

}  // namespace cede::bench::ring
