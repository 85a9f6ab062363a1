// SPDX-License-Identifier: Apache-2.0
#include <boost/json.hpp>

#include "tests/bench/machine.h"
#include "tests/bench/ring/comparison.h"
#include "tests/bench/ring/report.h"

namespace cede::bench::ring {
namespace {

namespace json = boost::json;

json::object from_sample(const RingSample& sample) {
  return {{"rate", sample.trial.rate},
          {"p50_ns", sample.trial.p50},
          {"p99_ns", sample.trial.p99},
          {"wrong", sample.trial.wrong},
          {"busy", sample.trial.busy},
          {"ping_ns", sample.ping},
          {"nearness", to_string(sample.nearness)}};
}

json::object from_cell(const RingPlan& plan, const CellResult& result) {
  json::array contenders;
  for (std::size_t c = 0; c < plan.contenders.size(); ++c) {
    json::array samples;
    for (const RingSample& sample : result.samples[c]) samples.push_back(from_sample(sample));
    json::object contender{{"name", plan.contenders[c].name}, {"samples", std::move(samples)}};
    if (const auto& traffic = result.traffic[c]) {
      contender["transfers"] = traffic->transfers;
      contender["invalidations"] = traffic->invalidations;
    }
    contenders.push_back(std::move(contender));
  }
  json::object cell{{"name", result.cell.name()},
                    {"slot_bytes", result.cell.slot_bytes},
                    {"batch", result.cell.load.batch},
                    {"window", result.cell.load.window},
                    {"contenders", std::move(contenders)}};
  if (const auto nearness = common_nearness(result)) {
    cell["compared_when"] = to_string(*nearness);
  }
  return cell;
}

json::object from_standing(const Standing& standing) {
  json::object object{{"over", "cede"},
                      {"under", standing.against.name},
                      {"cells", standing.cells},
                      {"geometric_mean", standing.ratio},
                      {"min", standing.least},
                      {"max", standing.most},
                      {"behind", json::value_from(standing.behind)}};
  if (standing.against.goal != 0) {
    object["goal"] = standing.against.goal;
    object["met"] = standing.ratio >= standing.against.goal;
  }
  return object;
}

}  // namespace

std::string as_json(const RingPlan& plan, const std::vector<CellResult>& all) {
  json::array cells;
  for (const CellResult& result : all) cells.push_back(from_cell(plan, result));
  json::array compared;
  for (const Standing& standing : standings(plan, all, [](const Cell&) { return true; })) {
    compared.push_back(from_standing(standing));
  }
  return json::serialize(
             json::object{{"machine", describe_machine()},
                          {"sample_seconds", std::chrono::duration<double>(plan.duration).count()},
                          {"repetitions", plan.repetitions},
                          {"cells", std::move(cells)},
                          {"ratios", std::move(compared)}}) +
         '\n';
}

}  // namespace cede::bench::ring
