// SPDX-License-Identifier: Apache-2.0
#include "vmm/supervisor/cgroup_controller.h"

#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

namespace cede::supervisor {
namespace {

namespace fs = std::filesystem;

std::string read_file(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

bool has_word(const std::string& text, std::string_view word, char separator) {
  std::istringstream words(text);
  std::string candidate;
  while (std::getline(words, candidate, separator)) {
    if (!candidate.empty() && candidate.back() == '\n') candidate.pop_back();
    if (candidate == word) return true;
  }
  return false;
}

}  // namespace

std::optional<CgroupController> find_controller(std::string_view controller,
                                                std::string_view mountinfo, bool in_unified) {
  std::optional<CgroupController> unified;
  std::istringstream lines{std::string(mountinfo)};
  for (std::string line; std::getline(lines, line);) {
    // proc(5): ... mount-point options [optional fields] - type source super-options
    const std::size_t dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    std::istringstream before(line.substr(0, dash));
    std::istringstream after(line.substr(dash + 3));
    std::string skipped, mount, type, source, options;
    before >> skipped >> skipped >> skipped >> skipped >> mount;
    after >> type >> source >> options;
    if (type == "cgroup" && has_word(options, controller, ',')) return {{mount, false}};
    if (type == "cgroup2" && in_unified) unified = {mount, true};
  }
  return unified;
}

std::optional<CgroupController> find_controller(std::string_view controller) {
  const std::string mountinfo = read_file("/proc/self/mountinfo");
  const auto unified = find_controller(controller, mountinfo, true);
  const bool in_unified =
      unified && unified->unified &&
      has_word(read_file(unified->mount / "cgroup.controllers"), controller, ' ');
  return find_controller(controller, mountinfo, in_unified);
}

bool enable_below(const fs::path& directory, std::string_view controller) {
  const fs::path control = directory / "cgroup.subtree_control";
  std::ofstream(control) << '+' << controller;
  return has_word(read_file(control), controller, ' ');
}

}  // namespace cede::supervisor
