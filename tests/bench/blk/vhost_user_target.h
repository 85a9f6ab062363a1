// SPDX-License-Identifier: Apache-2.0
// One queue of a vhost-user-blk device, whoever serves it.
#pragma once

#include <string>

#include "tests/bench/blk/load.h"
#include "tests/support/vhost_user_client.h"

namespace cede::bench {

class VhostUserTarget {
 public:
  // `socket`: the path. Throws std::runtime_error.
  explicit VhostUserTarget(const std::string& socket);

  void prepare(std::uint32_t /*depth*/, std::uint32_t bytes) { bytes_ = bytes; }
  [[nodiscard]] std::span<std::byte> buffer(std::uint32_t slot) {
    return client_.data().subspan(std::size_t{slot} * bytes_, bytes_);
  }
  void submit(std::uint32_t slot, bool write, std::uint64_t sector);
  void publish() { client_.publish(0); }
  std::size_t poll(std::span<Done> out);
  void wait(int milliseconds) { (void)client_.wait(0, std::chrono::milliseconds(milliseconds)); }

 private:
  test::VhostUserClient client_;
  std::uint32_t bytes_ = 0;
};

}  // namespace cede::bench
