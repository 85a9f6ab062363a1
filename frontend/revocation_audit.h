// SPDX-License-Identifier: Apache-2.0
// Tries to take a connected session's pages back, for real: with the client's own descriptor and
// mapping of the region, from inside the client's own process. Every attempt is expected to be
// refused by the kernel; an attempt that works is reported as such, and what it did to the region
// is undone as far as that can be.
//
// So that a refusal means the region's seals, and not a sandbox around this process or a kernel
// that lacks a call, the same attempts are made first on an unsealed memfd of our own, where all
// have to work (`control_worked`).
//
// Run it when the session is connected and before the first operation: the payload is filled with a
// pattern, and the whole region compared afterwards. Needs Session::region_fd. A sandbox must still
// permit memfd_create, ftruncate, fallocate, madvise, pwrite64, mmap, mprotect, mremap,
// remap_file_pages, fcntl(F_ADD_SEALS) and munmap.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "frontend/session.h"
#include "protocols/status.h"

namespace cede::frontend {

struct RevocationAttempt {
  std::string_view what;
  bool refused = false;
  int error = 0;  // errno, where refused
};

struct RevocationAudit {
  std::vector<RevocationAttempt> attempts;
  bool control_worked = false;   // each attempt works where nothing is sealed
  bool contents_intact = false;  // the region's bytes are what they were

  // The guarantee holds, and the audit could have found otherwise.
  [[nodiscard]] bool passed() const noexcept;
};

// Invalid: the session has no region_fd. NoMemory: the control's own memfd cannot be made.
[[nodiscard]] Result<RevocationAudit> audit_revocation(const Session& session);

// One line of JSON, with its line feed:
// {"device":"alice/vda","passed":true,"control_worked":true,"contents_intact":true,
//  "attempts":[{"attempt":"truncate","refused":true,"errno":"EPERM"},...]}
[[nodiscard]] std::string to_json_line(std::string_view device, const RevocationAudit& audit);

}  // namespace cede::frontend
