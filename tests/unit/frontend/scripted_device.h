// SPDX-License-Identifier: Apache-2.0
// A block device whose driver is the test itself, step by step.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <vector>

#include "frontend/block/block_device.h"
#include "protocols/ring.h"
#include "tests/support/client_session.h"

namespace cede::frontend {

inline constexpr Geometry kGeometry{.pages = 256, .rings = 1, .slot_bytes = 32, .slots = 32};
inline constexpr std::size_t kDiskBytes = 1U << 20;

struct ScriptedDevice {
  explicit ScriptedDevice(const block::Info& info = test::disk_info(kDiskBytes),
                          const Geometry& geometry = kGeometry)
      : parts(test::make_session_parts(geometry)),
        region(*Mapping::map(parts.driver.region.get(), geometry.bytes())),
        back(region.data(), geometry.ring_shape()),
        device(attach(info)) {}

  BlockDevice attach(const block::Info& info) {
    for (std::uint32_t ring = 0; ring < parts.geometry.rings; ++ring) {
      format_ring(region.data() + parts.geometry.ring_offset(ring));
    }
    return *BlockDevice::attach(test::open_client(parts, info));
  }
  std::vector<block::Request> take_all() {
    std::vector<block::Request> requests;
    block::Request request;
    while (back.take(request) == Verdict::Ready) requests.push_back(request);
    return requests;
  }
  // How often the driver was rung since the last look: 0 for not at all.
  [[nodiscard]] std::uint64_t kicks() const {
    std::uint64_t count = 0;
    char bell = 0;
    while (::recv(parts.driver.kick.get(), &bell, sizeof bell, MSG_DONTWAIT) > 0) ++count;
    return count;
  }

  test::SessionParts parts;
  Mapping region;
  BackRing<block::Request, block::Response> back;  // of ring 0
  BlockDevice device;
};

}  // namespace cede::frontend
