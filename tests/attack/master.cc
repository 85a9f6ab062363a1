// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/master.h"

#include <array>
#include <chrono>

namespace cede::attack {
namespace {

constexpr std::uint32_t kBlock = 4096;

}  // namespace

Master::Master(const std::string& socket, Stage& stage)
    : stage_(stage), disk_({.socket_path = socket, .data_bytes = 1U << 20}) {
  disk_.start();
}

void Master::behave_until_begun() {
  while (!stage_.begun()) read_on();
}

void Master::read_on(std::uint32_t depth) {
  const std::uint64_t blocks = disk_.config().capacity / (kBlock / 512);
  std::array<test::VhostUserClient::Done, 128> done;
  while (disk_.in_flight(0) >= depth && disk_.poll(0, done) == 0) {
    (void)disk_.wait(0, std::chrono::milliseconds(10));
  }
  const std::uint64_t block = next_++ * 7919 % blocks;
  (void)disk_.submit(
      0, {.sector = block * (kBlock / 512), .buffer = next_ % kDepth * kBlock, .bytes = kBlock});
  disk_.publish(0);
}

}  // namespace cede::attack
