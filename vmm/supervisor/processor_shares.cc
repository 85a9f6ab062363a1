// SPDX-License-Identifier: Apache-2.0
#include "vmm/supervisor/processor_shares.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <cstdint>
#include <fstream>
#include <system_error>

#include "vmm/supervisor/cgroup_controller.h"

namespace cede::supervisor {
namespace {

namespace fs = std::filesystem;

constexpr const char* kController = "cpu";
// What a process has by default: in the unified hierarchy, and in version 1.
constexpr std::uint64_t kUsualWeight = 100;
constexpr std::uint64_t kUsualShares = 1024;
// A percent of the period of both, 100 ms, in microseconds.
constexpr std::uint64_t kQuotaOfPercent = 1000;

// What went wrong, or nothing.
std::string write_number(const fs::path& path, std::uint64_t number) {
  if ((std::ofstream(path) << number << std::flush).good()) return {};
  return fmt::format("cannot write {} to {}", number, path.string());
}

}  // namespace

ProcessorShares ProcessorShares::make(const System& system, const std::string& name,
                                      const SystemCgroup& memory, std::string& why) {
  const auto controller = find_controller(kController);
  if (!controller) {
    why = "this machine has no cpu controller";
    return {};
  }
  ProcessorShares shares;
  shares.system_ = controller->mount / name;
  shares.unified_ = controller->unified;
  shares.in_memory_cgroup_ = shares.system_ == memory.directory();
  for (const Driver& driver : system.drivers) shares.shares_.emplace(*driver.name, driver.cpu);
  for (const Client& client : system.clients) shares.shares_.emplace(*client.name, client.cpu);
  if (shares.unified_ && !enable_below(controller->mount, kController)) {
    why = fmt::format("cannot divide the processors below {}", controller->mount.string());
    return {};
  }
  why = shares.make_directories();
  if (why.empty()) return shares;
  std::error_code ignored;  // what is not there, or holds a process
  for (const fs::path& directory : shares.directories()) fs::remove(directory, ignored);
  return {};
}

std::string ProcessorShares::make_directories() const {
  if (in_memory_cgroup_) {
    if (enable_below(system_, kController)) return {};
    return fmt::format("cannot divide the processors below {}", system_.string());
  }
  for (const auto& [domain, share] : shares_) {
    const fs::path directory = of_domain(domain, {});
    std::error_code error;
    fs::create_directory(directory, error);
    if (error) return fmt::format("cannot make {}: {}", directory.string(), error.message());
    if (std::string why = write_share(directory, share); !why.empty()) return why;
  }
  return {};
}

std::string ProcessorShares::write_share(const fs::path& directory, const CpuShare& share) const {
  std::string why = unified_ ? write_number(directory / "cpu.weight", *share.weight)
                             : write_number(directory / "cpu.shares",
                                            *share.weight * kUsualShares / kUsualWeight);
  if (!why.empty() || *share.limit == 0) return why;  // there is none to begin with
  return write_number(directory / (unified_ ? "cpu.max" : "cpu.cfs_quota_us"),
                      *share.limit * kQuotaOfPercent);
}

std::vector<fs::path> ProcessorShares::directories() const {
  std::vector<fs::path> directories;
  if (!*this || in_memory_cgroup_) return directories;
  for (const auto& [domain, share] : shares_) directories.push_back(of_domain(domain, {}));
  return directories;
}

fs::path ProcessorShares::of_domain(const std::string& domain, const fs::path& in_memory) const {
  if (!*this) return {};
  return in_memory_cgroup_ ? in_memory : fs::path(fmt::format("{}.{}", system_.string(), domain));
}

Fd ProcessorShares::admit(const std::string& domain, const fs::path& in_memory) const {
  if (!*this) return {};
  const fs::path directory = of_domain(domain, in_memory);
  std::string why;
  Fd procs;
  if (in_memory_cgroup_) {
    // The broker has just made it, and divides memory alone.
    (void)enable_below(directory.parent_path(), kController);
    why = write_share(directory, shares_.at(domain));
  } else {
    const fs::path file = directory / "cgroup.procs";
    procs = Fd(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
    if (!procs) why = "cannot open " + file.string();
  }
  if (!why.empty()) spdlog::warn("'{}' has no share of the processors: {}", domain, why);
  return procs;
}

}  // namespace cede::supervisor
