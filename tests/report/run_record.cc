// SPDX-License-Identifier: Apache-2.0
#include "tests/report/run_record.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <boost/json.hpp>
#include <chrono>

#include "tests/report/files.h"
#include "tests/report/machine_facts.h"
#include "tests/report/reading.h"

namespace cede::report {
namespace {

namespace json = boost::json;

constexpr const char* kFile = "run.json";

bool yes(const json::value& value) {
  return value.is_bool() && value.get_bool();
}

}  // namespace

RunRecord begin_record(bool quick) {
  RunRecord record;
  record.date = fmt::format("{:%Y-%m-%d %H:%M} UTC", fmt::gmtime(std::chrono::system_clock::now()));
  record.version = CEDE_VERSION;
  record.quick = quick;
  record.machine = machine_facts();
  return record;
}

void write_record(const RunRecord& record, const std::filesystem::path& directory) {
  json::object machine;
  for (const auto& [name, value] : record.machine) machine[name] = value;
  json::object parts;
  for (const auto& [name, part] : record.parts) {
    parts[name] = json::object{{"failure", part.failure}, {"seconds", part.seconds}};
  }
  write_file(directory / kFile, json::serialize(json::object{{"date", record.date},
                                                             {"version", record.version},
                                                             {"quick", record.quick},
                                                             {"machine", std::move(machine)},
                                                             {"parts", std::move(parts)}}) +
                                    '\n');
}

RunRecord read_record(const std::filesystem::path& directory) {
  RunRecord record;
  boost::system::error_code error;
  const json::value run = json::parse(read_file(directory / kFile).value_or("null"), error);
  if (error) return record;
  record.date = words(run, "date");
  record.version = words(run, "version");
  record.quick = yes(member(run, "quick"));
  if (const json::object* machine = member(run, "machine").if_object()) {
    for (const json::key_value_pair& fact : *machine) {
      record.machine.emplace_back(fact.key(), words(fact.value()));
    }
  }
  if (const json::object* parts = member(run, "parts").if_object()) {
    for (const json::key_value_pair& part : *parts) {
      record.parts[part.key()] = {words(part.value(), "failure"), number(part.value(), "seconds")};
    }
  }
  return record;
}

}  // namespace cede::report
