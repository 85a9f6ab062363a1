// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "tests/support/vhost_user_client.h"

namespace cede::supervisor {

// A guest's driver at a vhost-user socket.
class Guest : public test::VhostUserClient {
 public:
  explicit Guest(const std::filesystem::path& socket) : VhostUserClient({.socket_path = socket}) {
    start();
  }

  void write(std::uint64_t byte, std::span<const std::byte> bytes) {
    std::ranges::copy(bytes, data().begin());
    ASSERT_EQ(execute({.type = VIRTIO_BLK_T_OUT,
                       .sector = byte / 512,
                       .bytes = static_cast<std::uint32_t>(bytes.size())}),
              VIRTIO_BLK_S_OK);
  }
  std::vector<std::byte> read(std::uint64_t byte, std::uint32_t bytes) {
    EXPECT_EQ(execute({.type = VIRTIO_BLK_T_IN, .sector = byte / 512, .bytes = bytes}),
              VIRTIO_BLK_S_OK);
    return {data().begin(), data().begin() + bytes};
  }
};

}  // namespace cede::supervisor
