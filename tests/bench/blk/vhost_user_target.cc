// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/blk/vhost_user_target.h"

namespace cede::bench {

VhostUserTarget::VhostUserTarget(const std::string& socket)
    : client_({.socket_path = socket, .queue_size = kMaxDepth, .data_bytes = kMaxPayload}) {
  if (client_.depth() < kMaxDepth) throw std::runtime_error("the queue is too short");
  client_.start();
}

void VhostUserTarget::submit(std::uint32_t slot, bool write, std::uint64_t sector) {
  const std::uint32_t type = write ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN;
  const bool taken = client_.submit(0, {.type = type,
                                        .sector = sector,
                                        .buffer = std::uint64_t{slot} * bytes_,
                                        .bytes = bytes_,
                                        .cookie = slot});
  if (!taken) throw std::runtime_error("the queue takes no request");
}

std::size_t VhostUserTarget::poll(std::span<Done> out) {
  std::array<test::VhostUserClient::Done, kMaxDepth> finished;
  const std::size_t count = client_.poll(0, std::span(finished).first(out.size()));
  for (std::size_t i = 0; i < count; ++i) {
    out[i] = {static_cast<std::uint32_t>(finished[i].cookie),
              finished[i].status == VIRTIO_BLK_S_OK};
  }
  return count;
}

}  // namespace cede::bench
