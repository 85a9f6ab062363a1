// SPDX-License-Identifier: Apache-2.0
// The client's end of a test session (session_parts.h), as SessionClient would hand it over.
#pragma once

#include <fcntl.h>

#include <cstring>
#include <stdexcept>

#include "frontend/session.h"
#include "protocols/block.h"
#include "tests/support/session_parts.h"

namespace cede::test {

// A 512-byte-sector disk of `bytes` that offers everything.
[[nodiscard]] inline block::Info disk_info(std::uint64_t bytes) {
  block::Info info;
  info.sectors = bytes / block::kSectorBytes;
  info.logical_block = 512;
  info.physical_block = 4096;
  info.max_transfer = 1U << 20;
  info.max_erase = 1U << 24;
  info.features = block::Info::kFlush | block::Info::kDiscard | block::Info::kWriteZeroes;
  std::memcpy(info.serial, "echo", 4);
  return info;
}

template <class Info>
[[nodiscard]] DeviceInfo to_device_info(const Info& info) {
  static_assert(sizeof info <= DeviceInfo::kBytes);
  DeviceInfo device;
  std::memcpy(device.bytes, &info, sizeof info);
  return device;
}

// Takes the client's descriptors out of `parts`. The rings have to be formatted before the first
// operation, by a backend or a test. `info`: of the device's class.
template <class Info>
[[nodiscard]] frontend::Session open_client(SessionParts& parts, const Info& info) {
  Result<Mapping> mapping = Mapping::map(parts.client.region.get(), parts.geometry.bytes());
  if (!mapping) throw std::runtime_error("cannot map the test session");
  return {.handle = {1, 1},
          .geometry = parts.geometry,
          .info = to_device_info(info),
          .region = *std::move(mapping),
          .kick = KickRinger(std::move(parts.client.kick)),
          .call = CallWaiter(std::move(parts.client.call)),
          .region_fd = std::move(parts.client.region)};
}

}  // namespace cede::test
