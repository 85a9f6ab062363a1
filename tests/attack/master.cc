// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/master.h"

#include <algorithm>
#include <array>
#include <chrono>

namespace cede::attack {

Master::Master(const std::string& socket, Stage& stage)
    : stage_(stage), disk_({.socket_path = socket, .queue_size = kMost, .data_bytes = kLargest}) {
  disk_.start();
}

void Master::behave_until_begun() {
  while (!stage_.begun()) read_on();
}

void Master::read_on(std::uint32_t depth) {
  go_on(VIRTIO_BLK_T_IN, 4096, depth);
}

void Master::go_on(std::uint32_t type, std::uint32_t bytes, std::uint32_t depth) {
  std::array<test::VhostUserClient::Done, kMost> done;
  while (disk_.in_flight(0) >= depth && disk_.poll(0, done) == 0) {
    (void)disk_.wait(0, std::chrono::milliseconds(10));
  }
  const std::uint64_t sectors = bytes / 512;
  const std::uint64_t places = sectors == 0 ? 1 : disk_.config().capacity / sectors;
  const std::uint64_t buffers = std::max<std::uint64_t>(kLargest / std::max(bytes, 1U), 1);
  ++next_;
  (void)disk_.submit(0, {.type = type,
                         .sector = next_ * 7919 % places * sectors,
                         .buffer = next_ % buffers * bytes % kLargest,
                         .bytes = bytes});
  disk_.publish(0);
}

}  // namespace cede::attack
