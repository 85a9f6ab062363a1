// SPDX-License-Identifier: Apache-2.0
#include "vmm/cli/demo/leftovers.h"

#include <fmt/core.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "vmm/supervisor/cgroup_controller.h"
#include "vmm/supervisor/runtime_dir.h"

namespace cede::cli {
namespace {

namespace fs = std::filesystem;

// A process that ended and waits for init to notice is no leftover.
bool runs(pid_t process) {
  std::ifstream stat(fmt::format("/proc/{}/stat", process));
  std::string line;
  std::getline(stat, line);
  const std::size_t state = line.rfind(") ");
  return state != std::string::npos && line.substr(state + 2, 1) != "Z";
}

// The last steps of a daemon's exit are behind its answer to "down".
bool ends_soon(pid_t process) {
  for (int i = 0; i < 100 && runs(process); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return !runs(process);
}

void find_entry(const fs::path& path, const char* kind, std::vector<std::string>& found) {
  std::error_code ignored;
  if (fs::exists(path, ignored)) found.push_back(fmt::format("{} {}", kind, path.string()));
}

void find_beginning(const fs::path& directory, const std::string& with, const char* kind,
                    std::vector<std::string>& found) {
  for (const auto& entry : fs::directory_iterator(directory)) {
    if (entry.path().filename().string().starts_with(with)) find_entry(entry.path(), kind, found);
  }
}

}  // namespace

std::vector<std::string> find_leftovers(const std::string& system,
                                        const std::vector<pid_t>& processes,
                                        const std::vector<std::string>& interfaces) {
  std::vector<std::string> found;
  for (const std::string& interface : interfaces) {
    find_entry(fs::path("/sys/class/net") / interface, "network interface", found);
  }
  for (const pid_t process : processes) {
    if (!ends_soon(process)) found.push_back(fmt::format("process {}", process));
  }
  const fs::path directory = supervisor::control_socket(system).parent_path();
  find_entry(directory, "runtime directory", found);
  find_entry(directory.string() + ".lock", "lock", found);
  std::set<fs::path> hierarchies;  // in the unified one, both are the same
  for (const char* name : {"memory", "cpu"}) {
    if (const auto controller = supervisor::find_controller(name)) {
      hierarchies.insert(controller->mount);
    }
  }
  for (const fs::path& hierarchy : hierarchies) {
    const std::string cgroup = supervisor::cgroup_name(system);
    find_entry(hierarchy / cgroup, "cgroup", found);
    find_beginning(hierarchy, cgroup + '.', "cgroup", found);
  }
  find_beginning("/dev/shm", "cede-" + system, "shared memory", found);
  return found;
}

}  // namespace cede::cli
