// SPDX-License-Identifier: Apache-2.0
// What a hostile client of a vhost-user back end has: a virtual machine's memory, which it shares,
// and a disk's queue in it. One thread.
#pragma once

#include <string>

#include "tests/attack/stage.h"
#include "tests/support/vhost_user_client.h"

namespace cede::attack {

class Master {
 public:
  // Throws std::runtime_error.
  Master(const std::string& socket, Stage& stage);

  // Reads its disk as fast as it goes until the arena gives the sign.
  void behave_until_begun();
  static constexpr std::uint32_t kDepth = 8;
  static constexpr std::uint32_t kMost = 128;          // that can be in flight
  static constexpr std::uint32_t kLargest = 1U << 20;  // bytes of a transfer
  // One read of 4 KiB more in flight, of `depth` at most: where there are as many, one less first.
  void read_on(std::uint32_t depth = kDepth);
  // The same with any request; its place on the disk is chosen here.
  void go_on(std::uint32_t type, std::uint32_t bytes, std::uint32_t depth);

  [[nodiscard]] Stage& stage() { return stage_; }
  [[nodiscard]] test::VhostUserClient& disk() { return disk_; }

 private:
  Stage& stage_;
  test::VhostUserClient disk_;
  std::uint64_t next_ = 0;  // request
};

}  // namespace cede::attack
