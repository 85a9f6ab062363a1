// SPDX-License-Identifier: Apache-2.0
// Whose the pages of idle sessions are under each memory policy, and whether an idle client can
// have them for something else meanwhile without closing its session.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace cede::bench {

struct IdleMemory {
  std::string_view policy;
  // KiB for each session, as the kernel charges them.
  double client_pays = 0;
  double driver_pays = 0;
  // Both, when the client has taken back what it can; and what of that is still in the region. The
  // driver has pinned its pages for io_uring, so what a client took out stays charged all the same.
  double after_taking_back = 0;
  double in_region = 0;
  std::uint64_t wrong_reads = 0;  // of all sessions, then: failed, or with what is not theirs
};

inline constexpr unsigned kIdleSessions = 32;

// One row for each policy; none where there is no memory cgroup that we may use. Throws
// std::runtime_error.
[[nodiscard]] std::vector<IdleMemory> measure_idle_memory();

}  // namespace cede::bench
