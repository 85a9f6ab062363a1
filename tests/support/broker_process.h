// SPDX-License-Identifier: Apache-2.0
// The real cede-broker as a child of the test.
//
// Link cede_broker_process (tests/unit/broker), which names and builds the program.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <csignal>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/broker_domain.h"
#include "tests/support/test_cgroup.h"
#include "vmm/process/process.h"

namespace cede::test {

class BrokerProcess {
 public:
  struct Options {
    std::uint32_t budget_pages = 1U << 16;
    std::string cgroup = {};
    std::vector<std::string> more = {};  // further command line arguments
  };

  explicit BrokerProcess(const Options& options) {
    int pair[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
      throw std::runtime_error("cannot make the root's socket");
    }
    const Fd theirs(pair[1]);
    root_ = std::make_unique<Domain>(Handle{0, 1}, Fd(pair[0]));
    std::vector<std::string> words = {CEDE_BROKER_BINARY, "--root-fd", std::to_string(pair[1]),
                                      "--budget-pages", std::to_string(options.budget_pages)};
    if (!options.cgroup.empty()) words.insert(words.end(), {"--cgroup", options.cgroup});
    words.insert(words.end(), options.more.begin(), options.more.end());
    process_ = Process::start({.arguments = std::move(words), .inherited = {theirs.get()}});
  }
  BrokerProcess(const BrokerProcess&) = delete;
  BrokerProcess& operator=(const BrokerProcess&) = delete;
  ~BrokerProcess() {
    root_.reset();
    (void)wait_for_exit();
  }

  [[nodiscard]] Domain& root() { return *root_; }
  [[nodiscard]] pid_t pid() const { return process_.pid(); }
  [[nodiscard]] bool running() const { return process_.running(); }
  void close_root() { root_.reset(); }
  void signal(int number) const { process_.signal(number); }

  // See Process::wait(); nothing if it does not end.
  [[nodiscard]] std::optional<int> wait_for_exit() { return process_.wait(kPatience); }

 private:
  std::unique_ptr<Domain> root_;
  Process process_;
};

}  // namespace cede::test
