// SPDX-License-Identifier: Apache-2.0
// More of one kind of request than is fair, for ever.
#pragma once

#include <algorithm>

#include "tests/attack/client.h"

namespace cede::attack {

// Keeps `depth` requests made by `make(i)` in flight.
template <class Make>
void storm_with_requests(Client& client, std::uint32_t depth, Make make) {
  client.disk().keep_busy(depth, make, [] { return false; });
  client.stage().broke("a storm within the protocol is answered no more");
}

// The same request without payload, on the whole ring.
inline void storm_with_erasures(Client& client, std::uint16_t type) {
  Disk& disk = client.disk();
  const auto whole =
      std::min<std::uint64_t>(disk.info.max_erase, disk.info.sectors * block::kSectorBytes);
  const auto bytes = type == VIRTIO_BLK_T_FLUSH ? 0 : static_cast<std::uint32_t>(whole);
  storm_with_requests(client, disk.geometry.slots, [&](std::uint32_t i) {
    const std::uint64_t sectors = bytes / block::kSectorBytes;
    block::Request request =
        disk.request(type, sectors == 0 ? 0 : i % (disk.info.sectors / sectors) * sectors, bytes);
    request.offset = 0;
    return request;
  });
}

}  // namespace cede::attack
