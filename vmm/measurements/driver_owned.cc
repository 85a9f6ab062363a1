// SPDX-License-Identifier: Apache-2.0
// Driver-owned memory: nobody can take a page back, and the driver pays for what its clients ask
// for.
#include <fcntl.h>

#include "vmm/broker/policy.h"

namespace cede::broker {

const int kSizeSeals = F_SEAL_SHRINK | F_SEAL_GROW;
const int kFinalSeals = kSizeSeals | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL;
const bool kDriverPays = true;

}  // namespace cede::broker
