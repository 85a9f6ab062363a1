// SPDX-License-Identifier: Apache-2.0
// A session's region: a memfd of fixed size whose pages exist and are paid for by the client.
//
//   make_region()       empty, sealed against shrinking and growing
//   start_populating()  a short-lived child allocates every page, from within the session's cgroup
//   ... both sides map it ...
//   seal_region()       nobody can take a page, or make a new writable mapping, any more
//
// Nothing here blocks: the child may be slow (its cgroup may be), its pidfd says when it is done.
#pragma once

#include <cstdint>
#include <string>

#include "protocols/posix/fd.h"
#include "protocols/status.h"

namespace cede::broker {

// `bytes`: Geometry::bytes() of a valid geometry.
[[nodiscard]] Result<Fd> make_region(std::uint64_t bytes);

// Starts the child that populates `region` and returns its pidfd, readable once the child has
// ended. `cgroup` is the directory that is to be charged; empty: whatever the broker is charged to.
[[nodiscard]] Result<Fd> start_populating(int region, std::uint64_t bytes,
                                          const std::string& cgroup);
void stop_populating(int pidfd) noexcept;
// Reaps an ended child. NoMemory: the client's limit was met (an allocation failed, or the kernel's
// OOM killer took the child).
[[nodiscard]] Status finish_populating(int pidfd);

// Adds the final seals, then looks at what came of them: until now the client could punch holes.
// Broken: seals, size or population are not what they have to be.
[[nodiscard]] Status seal_region(int region, std::uint64_t bytes);

}  // namespace cede::broker
