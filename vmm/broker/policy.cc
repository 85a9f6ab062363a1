// SPDX-License-Identifier: Apache-2.0
// Donated memory: the one policy that gives a guarantee.
#include "vmm/broker/policy.h"

#include <fcntl.h>

namespace cede::broker {

const int kSizeSeals = F_SEAL_SHRINK | F_SEAL_GROW;
const int kFinalSeals = kSizeSeals | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL;
const bool kDriverPays = false;

}  // namespace cede::broker
