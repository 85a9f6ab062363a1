// SPDX-License-Identifier: Apache-2.0
// Client-owned memory: the client pays, and can shrink, punch and map the region anew at any time.
#include "vmm/broker/policy.h"

namespace cede::broker {

const int kSizeSeals = 0;
const int kFinalSeals = 0;
const bool kDriverPays = false;

}  // namespace cede::broker
