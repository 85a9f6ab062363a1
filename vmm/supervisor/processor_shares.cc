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
std::string write(const fs::path& path, const std::string& value) {
  if ((std::ofstream(path) << value << std::flush).good()) return {};
  return fmt::format("cannot write {} to {}", value, path.string());
}

}  // namespace

ProcessorShares::ProcessorShares(const System& system, const std::string& name,
                                 const SystemCgroup& memory) {
  const auto controller = find_controller(kController);
  if (!controller) return;
  system_ = controller->mount / name;
  unified_ = controller->unified;
  in_memory_cgroup_ = system_ == memory.directory();
  for (const Driver& driver : system.drivers) shares_.emplace(*driver.name, driver.cpu);
  for (const Client& client : system.clients) shares_.emplace(*client.name, client.cpu);
}

std::string ProcessorShares::make() {
  if (!*this) return "this machine has no cpu controller";
  std::string why = make_directories();
  if (why.empty()) return why;
  std::error_code ignored;  // what is not there, or holds a process
  for (const fs::path& directory : directories()) fs::remove(directory, ignored);
  *this = {};
  return why;
}

std::string ProcessorShares::make_directories() const {
  const auto enable = [](const fs::path& directory) {
    if (enable_below(directory, kController)) return std::string();
    return fmt::format("cannot divide the processors below {}", directory.string());
  };
  if (unified_) {
    if (std::string why = enable(system_.parent_path()); !why.empty()) return why;
  }
  if (in_memory_cgroup_) return enable(system_);
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
  const auto limit = [&](const char* none) {
    return *share.limit == 0 ? std::string(none) : std::to_string(*share.limit * kQuotaOfPercent);
  };
  if (unified_) {
    std::string why = write(directory / "cpu.weight", std::to_string(*share.weight));
    return why.empty() ? write(directory / "cpu.max", limit("max")) : why;
  }
  const std::uint64_t shares = *share.weight * kUsualShares / kUsualWeight;
  std::string why = write(directory / "cpu.shares", std::to_string(shares));
  return why.empty() ? write(directory / "cpu.cfs_quota_us", limit("-1")) : why;
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
