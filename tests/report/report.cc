// SPDX-License-Identifier: Apache-2.0
#include "tests/report/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "tests/report/files.h"

namespace cede::report {
namespace {

namespace json = boost::json;
using State = PartReport::State;

void read_results(PartReport& report, const std::filesystem::path& file) {
  const std::optional<std::string> text = read_file(file);
  if (!text) {
    report.state = State::Missing;
    if (report.why.empty()) report.why = fmt::format("there is no {}", file.filename().string());
    return;
  }
  try {
    report.results = json::parse(*text);
    report.chapter = report.part.read(report.results);
    report.state = report.why.empty() ? State::Measured : State::Failed;
  } catch (const std::exception& error) {
    report.state = State::Unreadable;
    report.why = fmt::format("{}{}{}", report.why, report.why.empty() ? "" : "; ", error.what());
  }
}

}  // namespace

std::string_view to_string(State state) {
  constexpr std::array<std::string_view, 4> kNames = {"measured", "failed", "unreadable",
                                                      "missing"};
  return kNames.at(static_cast<std::size_t>(state));
}

Report compose(std::span<const Part> parts, const RunRecord& run,
               const std::filesystem::path& directory) {
  Report report{run, {}, {}};
  for (const Part& part : parts) {
    PartReport one;
    one.part = part;
    const auto tried = run.parts.find(std::string(part.name));
    if (tried != run.parts.end()) {
      one.why = tried->second.failure;
      one.seconds = tried->second.seconds;
    }
    read_results(one, directory / fmt::format("{}.json", part.name));
    const std::string& machine = one.chapter.machine;
    if (!machine.empty() && std::ranges::count(report.machines, machine) == 0) {
      report.machines.push_back(machine);
    }
    report.parts.push_back(std::move(one));
  }
  return report;
}

std::vector<std::string> warnings(const Report& report) {
  std::vector<std::string> all;
  if (report.run.quick) {
    all.emplace_back(
        "This is a quick run: it shows that everything works, and its figures mean nothing.");
  }
  if (report.machines.size() > 1) {
    all.push_back(
        fmt::format("The parts were measured on different machines, and do not compare: {}",
                    fmt::join(report.machines, "; ")));
  }
  for (const PartReport& part : report.parts) {
    if (part.state == State::Measured) continue;
    all.push_back(fmt::format("{}: {}. {}", part.part.title, to_string(part.state), part.why));
  }
  return all;
}

}  // namespace cede::report
