// SPDX-License-Identifier: Apache-2.0
// DPDK's testpmd to testpmd, frames of 64 bytes one way, by virtio_user on the sender's side. All
// of DPDK's threads spin; the kernel places everybody as it likes.
#pragma once

#include <chrono>

#include "tests/bench/net/sample.h"

namespace cede::bench {

// Through cede-frontend's vhost-user-net and cede-switch, to another virtio_user.
[[nodiscard]] NetSample run_pmd_cede(std::chrono::nanoseconds duration);
// To a net_vhost: the receiver sees all of the sender's memory.
[[nodiscard]] NetSample run_pmd_direct(std::chrono::nanoseconds duration);
// To a third testpmd, which forwards between two net_vhosts, to another virtio_user.
[[nodiscard]] NetSample run_pmd_between(std::chrono::nanoseconds duration);

}  // namespace cede::bench
