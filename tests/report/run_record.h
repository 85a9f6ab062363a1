// SPDX-License-Identifier: Apache-2.0
// What is known of a run beside its results: run.json in the directory of the results.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace cede::report {

struct PartRun {
  std::string failure;  // empty: it went well
  double seconds = 0;
};

struct RunRecord {
  std::string date;  // "2025-01-31 12:00 UTC"
  std::string version;
  bool quick = false;
  std::vector<std::pair<std::string, std::string>> machine;  // "Processor", "AMD EPYC, 2 cores"
  std::map<std::string, PartRun> parts;                      // those that were tried, by name
};

// Of a run that begins now, here.
[[nodiscard]] RunRecord begin_record(bool quick);
// Throws std::runtime_error.
void write_record(const RunRecord& record, const std::filesystem::path& directory);
// An empty record where there is none that can be read.
[[nodiscard]] RunRecord read_record(const std::filesystem::path& directory);

}  // namespace cede::report
