// SPDX-License-Identifier: Apache-2.0
#include "vmm/supervisor/cgroup.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <fstream>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

#include "vmm/supervisor/cgroup_controller.h"

namespace cede::supervisor {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kRemoveLimit{5};
constexpr std::chrono::milliseconds kRemovePoll{10};

std::vector<fs::path> directories_in(const fs::path& directory) {
  std::vector<fs::path> result;
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code ignored;
    if (entry->is_directory(ignored) && !entry->is_symlink(ignored))
      result.push_back(entry->path());
  }
  return result;
}

// Children before parents.
std::vector<fs::path> tree_bottom_up(const fs::path& directory) {
  std::vector<fs::path> result;
  for (const fs::path& child : directories_in(directory)) {
    for (fs::path& below : tree_bottom_up(child)) result.push_back(std::move(below));
  }
  result.push_back(directory);
  return result;
}

// Also true where the figures cannot be read.
bool shows_pages(const fs::path& session) {
  constexpr std::array<std::string_view, 4> kFigures{"shmem", "inactive_anon", "active_anon",
                                                     "unevictable"};
  std::uint64_t bytes = 0;
  std::ifstream swap(session / "memory.swap.current");  // version 1 has it among the figures
  if (swap >> bytes && bytes != 0) return true;
  std::ifstream stat(session / "memory.stat");
  std::size_t found = 0;
  for (std::string name; stat >> name >> bytes;) {
    const bool figure = std::ranges::find(kFigures, name) != kFigures.end();
    if ((figure || name == "swap") && bytes != 0) return true;
    found += figure ? 1 : 0;
  }
  return found != kFigures.size();
}

void kill_members(const fs::path& directory) {
  std::ifstream members(directory / "cgroup.procs");
  for (pid_t pid = 0; members >> pid;) {
    if (pid > 1 && pid != ::getpid()) ::kill(pid, SIGKILL);
  }
}

}  // namespace

SystemCgroup SystemCgroup::make(const std::string& name, std::string& why) {
  SystemCgroup cgroup;
  const auto controller = find_controller("memory");
  if (!controller) {
    why = "this machine has no memory controller";
    return cgroup;
  }
  if (controller->unified) (void)enable_below(controller->mount, "memory");
  const fs::path directory = controller->mount / name;
  std::error_code error;
  fs::create_directory(directory, error);
  if (error) {
    why = fmt::format("cannot make {}: {}", directory.string(), error.message());
    return cgroup;
  }
  if (controller->unified && !enable_below(directory, "memory")) {
    why = fmt::format("cannot control memory below {}", directory.string());
    fs::remove(directory, error);
    return cgroup;
  }
  cgroup.directory_ = directory;
  return cgroup;
}

void SystemCgroup::continue_life(std::uint32_t life) {
  if (!directory_.empty()) life_ = directory_ / fmt::format("broker-{}", life);
}

void SystemCgroup::begin_life(std::uint32_t life) {
  continue_life(life);
  if (!life_.empty() && ::mkdir(life_.c_str(), 0755) != 0) {
    throw std::runtime_error(
        fmt::format("cannot make {}: {}", life_.string(), std::generic_category().message(errno)));
  }
}

void SystemCgroup::sweep_earlier_lives() const {
  for (const fs::path& life : directories_in(directory_)) {
    if (life == life_) continue;
    for (const fs::path& below : tree_bottom_up(life)) ::rmdir(below.c_str());
  }
}

std::vector<fs::path> SystemCgroup::domains() const {
  std::vector<fs::path> domains;
  for (const fs::path& life : directories_in(directory_)) {
    for (fs::path& domain : directories_in(life)) domains.push_back(std::move(domain));
  }
  return domains;
}

fs::path SystemCgroup::of_domain(Handle domain) const {
  if (life_.empty()) return {};
  return life_ / fmt::format("{}-{}", domain.index, domain.generation);
}

Fd SystemCgroup::run_procs(Handle domain) const {
  if (life_.empty()) return {};
  const fs::path file = of_domain(domain) / "run" / "cgroup.procs";
  return Fd(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
}

bool sessions_are_free(const fs::path& domain) {
  std::error_code error;
  for (fs::directory_iterator entry(domain, error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path().filename().string().starts_with("session-") && shows_pages(entry->path())) {
      return false;
    }
  }
  return !error || error == std::errc::no_such_file_or_directory;  // not seen is not proven
}

bool remove_cgroup_tree(const fs::path& directory) {
  const auto deadline = std::chrono::steady_clock::now() + kRemoveLimit;
  while (true) {
    for (const fs::path& member : tree_bottom_up(directory)) {
      kill_members(member);
      ::rmdir(member.c_str());
    }
    std::error_code error;
    if (!fs::exists(directory, error)) return true;
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(kRemovePoll);  // a killed process takes a moment to leave
  }
}

}  // namespace cede::supervisor
