// SPDX-License-Identifier: Apache-2.0
// A vhost-user client against the frontend of the fixture.
#pragma once

#include "tests/support/pattern.h"
#include "tests/support/vhost_user_client.h"
#include "tests/unit/vhost_user/frontend_fixture.h"

namespace cede::test {

class ClientFixture : public FrontendFixture {
 protected:
  VhostUserClient::Options options() { return {.socket_path = socket_path()}; }

  // Writes a pattern all over the disk in `bytes`-sized requests on queues in turn; reads it back.
  void write_and_verify(VhostUserClient& client, std::uint32_t bytes, unsigned seed) {
    const auto data = pattern(1U << 20, seed);
    std::memcpy(client.data().data(), data.data(), data.size());
    run_over(client, VIRTIO_BLK_T_OUT, bytes, data.size());
    std::memset(client.data().data(), 0, data.size());
    run_over(client, VIRTIO_BLK_T_IN, bytes, data.size());
    EXPECT_EQ(std::memcmp(client.data().data(), data.data(), data.size()), 0);
  }
  void run_over(VhostUserClient& client, std::uint32_t type, std::uint32_t bytes,
                std::size_t total) {
    std::size_t next = 0;
    std::uint32_t in_flight = 0;
    while (next < total || in_flight > 0) {
      while (next < total && client.submit(0, {.type = type,
                                               .sector = next / 512,
                                               .buffer = next,
                                               .bytes = bytes,
                                               .cookie = next})) {
        next += bytes;
        ++in_flight;
      }
      client.publish(0);
      VhostUserClient::Done done[16];
      const std::size_t count = client.poll(0, done);
      if (count == 0) {
        ASSERT_TRUE(client.wait(0, kPatience));
      }
      for (const VhostUserClient::Done& one : std::span(done).first(count)) {
        EXPECT_EQ(one.status, VIRTIO_BLK_S_OK);
        EXPECT_EQ(one.written, type == VIRTIO_BLK_T_IN ? bytes + 1 : 1);
      }
      in_flight -= static_cast<std::uint32_t>(count);
    }
  }
};

}  // namespace cede::test
