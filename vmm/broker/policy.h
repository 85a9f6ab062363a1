// SPDX-License-Identifier: Apache-2.0
// Whose a region's memory is, and who can take it back. Settled when a broker is linked: no option,
// no message and no file changes it.
//
// cede-broker has policy.cc: the client pays, and cannot take a page back. vmm/measurements links
// the rest of the broker with other answers.
#pragma once

namespace cede::broker {

extern const int kSizeSeals;    // F_SEAL_*, from the first moment
extern const int kFinalSeals;   // all of them, once both sides have mapped the region
extern const bool kDriverPays;  // in the memory cgroup; the ledger is not concerned

}  // namespace cede::broker
