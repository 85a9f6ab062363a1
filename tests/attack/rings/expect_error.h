// SPDX-License-Identifier: Apache-2.0
// Requests that make no sense, and that have to be answered so.
#pragma once

#include "tests/attack/client.h"

namespace cede::attack {

// False: it was done, or was not answered at all, and the arena has heard of it.
inline bool expect_error(Client& client, const block::Request& request) {
  Disk& disk = client.disk();
  disk.submit(request);
  const std::optional<block::Response> response = disk.answer();
  if (response && response->status != VIRTIO_BLK_S_OK) return true;
  client.stage().broke(response ? "a request that makes no sense is done"
                                : "a request that makes no sense is not answered");
  return false;
}

}  // namespace cede::attack
