// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/scale/process_figures.h"

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <system_error>

namespace cede::bench {
namespace {

// The lines of a file of /proc that are "name: number", whatever unit follows.
std::map<std::string, double> numbers_in(const std::filesystem::path& path) {
  std::map<std::string, double> numbers;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    char* end = nullptr;
    const char* const text = line.c_str() + colon + 1;
    const double number = std::strtod(text, &end);
    if (end != text) numbers.emplace(line.substr(0, colon), number);
  }
  return numbers;
}

std::filesystem::path folder_of(pid_t pid) {
  return fmt::format("/proc/{}", pid);
}

}  // namespace

ProcessMemory memory_of(pid_t pid) {
  std::map<std::string, double> status = numbers_in(folder_of(pid) / "status");
  return {.resident = status["VmRSS"],
          .proportional = numbers_in(folder_of(pid) / "smaps_rollup")["Pss"],
          .own = status["RssAnon"] + status["RssFile"] + status["VmPTE"]};
}

double context_switches(pid_t pid) {
  double switches = 0;
  std::error_code gone;
  for (const auto& thread : std::filesystem::directory_iterator(folder_of(pid) / "task", gone)) {
    std::map<std::string, double> status = numbers_in(thread.path() / "status");
    switches += status["voluntary_ctxt_switches"] + status["nonvoluntary_ctxt_switches"];
  }
  return switches;
}

}  // namespace cede::bench
