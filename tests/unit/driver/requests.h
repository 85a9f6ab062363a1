// SPDX-License-Identifier: Apache-2.0
// Requests as an honest frontend writes them. Payload offsets count from the start of the payload.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "protocols/block.h"
#include "tests/support/pattern.h"
#include "tests/unit/driver/test_client.h"

namespace cede::test {

[[nodiscard]] inline block::Request read_request(const TestClient& client, std::uint32_t id,
                                                 std::uint64_t sector, std::uint32_t length,
                                                 std::uint64_t payload = 0) {
  return {.type = VIRTIO_BLK_T_IN,
          .id = id,
          .sector = sector,
          .offset = client.at(payload),
          .length = length};
}
[[nodiscard]] inline block::Request write_request(const TestClient& client, std::uint32_t id,
                                                  std::uint64_t sector, std::uint32_t length,
                                                  std::uint64_t payload = 0) {
  block::Request request = read_request(client, id, sector, length, payload);
  request.type = VIRTIO_BLK_T_OUT;
  return request;
}
[[nodiscard]] inline block::Request erase_request(std::uint16_t type, std::uint32_t id,
                                                  std::uint64_t sector, std::uint32_t length,
                                                  std::uint16_t flags = 0) {
  return {.type = type, .flags = flags, .id = id, .sector = sector, .length = length};
}
[[nodiscard]] inline block::Request flush_request(std::uint32_t id) {
  return {.type = VIRTIO_BLK_T_FLUSH, .id = id};
}

[[nodiscard]] inline bool same(std::span<const std::byte> one, std::span<const std::byte> other) {
  return std::ranges::equal(one, other);
}

}  // namespace cede::test
