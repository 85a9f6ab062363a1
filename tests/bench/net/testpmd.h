// SPDX-License-Identifier: Apache-2.0
// DPDK's testpmd, which polls all of its ports on one thread and says every second what it has
// received.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "protocols/posix/fd.h"
#include "tests/bench/server_process.h"

namespace cede::bench {

struct TestpmdOptions {
  std::vector<std::string> devices;  // virtual ones, in the order of their ports
  std::vector<std::string> words;    // of testpmd's own
  std::string network{};             // the path of the namespace it runs in; empty: ours
};

// Dropping it kills it; it cannot outlive us in any case.
class Testpmd {
 public:
  // It is starting when this returns. Throws std::runtime_error.
  explicit Testpmd(const TestpmdOptions& options);

  [[nodiscard]] pid_t pid() const noexcept { return process_.pid(); }
  [[nodiscard]] bool running() const noexcept { return !has_ended(process_); }
  // Waits until it listens on a socket of its. Throws std::runtime_error where it ended instead.
  void await_socket(const std::string& path) const;
  // By all ports so far, as of at most a second ago.
  [[nodiscard]] std::uint64_t received() const;
  [[nodiscard]] std::string printed() const;

 private:
  Fd output_;
  Process process_;
};

}  // namespace cede::bench
