// SPDX-License-Identifier: Apache-2.0
// The memory cgroup of a system: made by the supervisor, divided by the broker.
//
//   <memory controller>/cede-NAME                 the system (this class)
//     broker-LIFE                                 what one life of the broker divides
//       INDEX-GENERATION                          a domain, made by the broker
//         run                                     its processes, which the supervisor puts there
//         session-INDEX-GENERATION                a session's pages, made by the broker
//
// In the unified hierarchy the domains have their processor shares here, too (processor_shares.h).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "protocols/posix/fd.h"
#include "protocols/session.h"

namespace cede::supervisor {

class SystemCgroup {
 public:
  SystemCgroup() = default;
  // Makes the directory `name`. On failure the object is empty and `why` says why.
  [[nodiscard]] static SystemCgroup make(const std::string& name, std::string& why);
  SystemCgroup(SystemCgroup&&) noexcept = default;
  SystemCgroup& operator=(SystemCgroup&&) noexcept = default;

  [[nodiscard]] explicit operator bool() const noexcept { return !directory_.empty(); }
  [[nodiscard]] const std::filesystem::path& directory() const noexcept { return directory_; }

  // Makes the directory of a life of the broker, its current one from now on. Throws
  // std::runtime_error. Nothing without a cgroup.
  void begin_life(std::uint32_t life);
  // It is the current one already.
  void continue_life(std::uint32_t life);
  [[nodiscard]] const std::filesystem::path& life() const noexcept { return life_; }
  // Removes what is empty of earlier lives. What still holds a process stays.
  void sweep_earlier_lives() const;

  // Every domain of every life that is not swept.
  [[nodiscard]] std::vector<std::filesystem::path> domains() const;
  // A domain of the current life. Empty without a cgroup.
  [[nodiscard]] std::filesystem::path of_domain(Handle domain) const;
  // cgroup.procs of a domain's processes; empty if the broker has not made it.
  [[nodiscard]] Fd run_procs(Handle domain) const;

 private:
  std::filesystem::path directory_;
  std::filesystem::path life_;
};

// Whether the kernel shows no page of any session of a domain, by its directory: no mapping, no
// descriptor, no message and no pin is left then. Proof once nobody can begin a session any more. A
// zero is no accident of late figures: a region is offered to nobody before they have shown all of
// it (vmm/broker/README.md).
[[nodiscard]] bool sessions_are_free(const std::filesystem::path& domain);

// Kills what still runs below `directory`, then removes the tree; waits for it, but not for ever.
// Returns whether it is gone. A directory that does not exist is gone.
[[nodiscard]] bool remove_cgroup_tree(const std::filesystem::path& directory);

}  // namespace cede::supervisor
