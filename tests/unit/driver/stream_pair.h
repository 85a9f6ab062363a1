// SPDX-License-Identifier: Apache-2.0
// Two ends of a stream, the program's and the test's. Neither blocks.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstddef>
#include <span>
#include <vector>

#include "protocols/posix/fd.h"

namespace cede::test {

struct StreamPair {
  StreamPair() {
    int ends[2] = {-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    ours = Fd(ends[0]);
    theirs = Fd(ends[1]);
  }
  void write(std::span<const std::byte> bytes) const {
    EXPECT_EQ(::write(theirs.get(), bytes.data(), bytes.size()),
              static_cast<ssize_t>(bytes.size()));
  }
  // What is there, up to `most` bytes.
  [[nodiscard]] std::vector<std::byte> read(std::size_t most) const {
    std::vector<std::byte> bytes(most);
    const ssize_t got = ::read(theirs.get(), bytes.data(), most);
    bytes.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
    return bytes;
  }

  Fd ours;
  Fd theirs;
};

}  // namespace cede::test
