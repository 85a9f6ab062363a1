// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/phase.h"

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/bench/machine.h"

namespace cede::attack {
namespace {

namespace fs = std::filesystem;

double own_memory_kib(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("RssAnon:")) return std::stod(line.substr(8));
  }
  return 0;
}

std::size_t descriptors(pid_t pid) {
  std::error_code error;
  const fs::directory_iterator all("/proc/" + std::to_string(pid) + "/fd", error);
  return error ? 0 : static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

}  // namespace

Holdings holdings_of(const std::vector<bench::ServerProcess>& processes) {
  Holdings sum;
  for (const bench::ServerProcess& process : processes) {
    sum.memory_kib += own_memory_kib(process.pid);
    sum.cpu_seconds += bench::process_seconds(process.pid);
    sum.descriptors += descriptors(process.pid);
  }
  return sum;
}

Holdings holdings_since(const Holdings& before,
                        const std::vector<bench::ServerProcess>& processes) {
  Holdings now = holdings_of(processes);
  now.cpu_seconds -= before.cpu_seconds;
  return now;
}

}  // namespace cede::attack
