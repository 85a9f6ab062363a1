// SPDX-License-Identifier: Apache-2.0
// How much of the processors each domain of a system has where several want them: whoever spins has
// what its weight gives it, and no more than its limit.
//
//   <cpu controller>/cede-NAME.DOMAIN             a domain, over all its lives
//
// Side by side, and not below one directory of the system's: that one's weight would be all for the
// only domain that is busy, the one that spins. In the unified hierarchy a process has one
// directory for all controllers: where the memory cgroup (cgroup.h) is there, its directories of
// the domains have the shares.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "protocols/posix/fd.h"
#include "vmm/supervisor/cgroup.h"
#include "vmm/supervisor/description.h"

namespace cede::supervisor {

class ProcessorShares {
 public:
  ProcessorShares() = default;
  // Of a system whose directories' names begin with `name`, and which has the cgroup `memory`.
  // Makes nothing yet. Empty: this machine has no cpu controller.
  ProcessorShares(const System& system, const std::string& name, const SystemCgroup& memory);
  // Makes what is missing of the directories. Returns what went wrong, or nothing; the object is
  // empty then.
  [[nodiscard]] std::string make();

  [[nodiscard]] explicit operator bool() const noexcept { return !system_.empty(); }
  // What it makes.
  [[nodiscard]] std::vector<std::filesystem::path> directories() const;
  // The directory of a domain that has `in_memory` in the memory cgroup. Empty: it has no share.
  [[nodiscard]] std::filesystem::path of_domain(const std::string& domain,
                                                const std::filesystem::path& in_memory) const;
  // Gives a domain its share, before a process of it starts. Returns the cgroup.procs to be entered
  // beside that of the memory cgroup; empty: none.
  [[nodiscard]] Fd admit(const std::string& domain, const std::filesystem::path& in_memory) const;

 private:
  // These return what went wrong, or nothing.
  [[nodiscard]] std::string make_directories() const;
  [[nodiscard]] std::string write_share(const std::filesystem::path& directory,
                                        const CpuShare& share) const;

  std::filesystem::path system_;  // what all directories' names begin with
  bool unified_ = false;
  bool in_memory_cgroup_ = false;
  std::map<std::string, CpuShare> shares_;
};

}  // namespace cede::supervisor
