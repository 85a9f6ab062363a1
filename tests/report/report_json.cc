// SPDX-License-Identifier: Apache-2.0
// The report for machines: the headlines, and each part's results as they are.
#include <cmath>

#include "tests/report/report.h"

namespace cede::report {
namespace {

namespace json = boost::json;

json::array from_headlines(const Chapter& chapter) {
  json::array all;
  for (const Headline& headline : chapter.headlines) {
    json::object one{{"name", headline.name}, {"value", headline.value}, {"note", headline.note}};
    if (headline.judgement != Judgement::None) {
      one["good"] = headline.judgement == Judgement::Good;
    }
    all.push_back(std::move(one));
  }
  return all;
}

json::object from_part(const PartReport& part) {
  json::object object{{"name", part.part.name},
                      {"title", part.part.title},
                      {"state", to_string(part.state)},
                      {"why", part.why},
                      {"headlines", from_headlines(part.chapter)},
                      {"results", part.results}};
  if (std::isfinite(part.seconds)) object["seconds"] = part.seconds;
  return object;
}

}  // namespace

std::string as_json(const Report& report) {
  json::object machine;
  for (const auto& [name, value] : report.run.machine) machine[name] = value;
  json::array parts;
  for (const PartReport& part : report.parts) parts.push_back(from_part(part));
  return json::serialize(json::object{{"date", report.run.date},
                                      {"version", report.run.version},
                                      {"quick", report.run.quick},
                                      {"machine", std::move(machine)},
                                      {"warnings", json::value_from(warnings(report))},
                                      {"parts", std::move(parts)}}) +
         '\n';
}

}  // namespace cede::report
