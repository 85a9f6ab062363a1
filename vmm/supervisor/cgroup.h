// SPDX-License-Identifier: Apache-2.0
// The memory cgroup of a system: made by the supervisor, divided by the broker.
//
//   <memory controller>/cede-NAME                 the system (this class)
//     INDEX-GENERATION                            a domain, made by the broker
//       run                                       its processes, which the supervisor puts there
//       session-INDEX-GENERATION                  a session's pages, made by the broker
//
// Both hierarchies are known: version 1 with a memory mount of its own, and the unified one.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "protocols/posix/fd.h"
#include "protocols/session.h"

namespace cede::supervisor {

struct MemoryController {
  std::filesystem::path mount;
  bool unified = false;
};

// From the text of /proc/self/mountinfo. A unified hierarchy counts only if `has_memory` says that
// its root controls memory.
[[nodiscard]] std::optional<MemoryController> find_memory_controller(std::string_view mountinfo,
                                                                     bool has_memory);
[[nodiscard]] std::optional<MemoryController> find_memory_controller();

class SystemCgroup {
 public:
  SystemCgroup() = default;
  // Makes the directory `name`. On failure the object is empty and `why` says why.
  [[nodiscard]] static SystemCgroup make(const std::string& name, std::string& why);
  SystemCgroup(SystemCgroup&&) noexcept = default;
  SystemCgroup& operator=(SystemCgroup&&) noexcept = default;

  [[nodiscard]] explicit operator bool() const noexcept { return !directory_.empty(); }
  [[nodiscard]] const std::filesystem::path& directory() const noexcept { return directory_; }
  // cgroup.procs of a domain's processes; empty if the broker has not made it.
  [[nodiscard]] Fd run_procs(Handle domain) const;

 private:
  std::filesystem::path directory_;
};

// Kills what still runs below `directory`, then removes the tree; waits for it, but not for ever.
// Returns whether it is gone. A directory that does not exist is gone.
[[nodiscard]] bool remove_cgroup_tree(const std::filesystem::path& directory);

}  // namespace cede::supervisor
