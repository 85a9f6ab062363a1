// SPDX-License-Identifier: Apache-2.0
// A real broker, and a client and a driver of it that are this process: for what is measured of
// sessions and regions alone.
#pragma once

#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "tests/bench/server_process.h"
#include "tests/support/broker_domain.h"
#include "tests/support/test_cgroup.h"
#include "vmm/supervisor/programs.h"

namespace cede::bench {

// A broker, which charges clients by the memory cgroup where there is one that we may use.
class Broker {
 public:
  Broker() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
      throw std::system_error(errno, std::generic_category(), "capability socket");
    }
    root_.emplace(Handle{0, 1}, Fd(ends[0]));
    const Fd theirs(ends[1]);
    std::vector<std::string> words = {supervisor::find_programs().broker.string(),
                                      "--root-fd",
                                      std::to_string(theirs.get()),
                                      "--budget-pages",
                                      std::to_string(kBudgetPages),
                                      "--log-level",
                                      "error"};
    if (!cgroup_.path().empty()) words.insert(words.end(), {"--cgroup", cgroup_.path()});
    process_ = start_server(std::move(words), {theirs.get()});
  }
  Broker(const Broker&) = delete;
  Broker& operator=(const Broker&) = delete;
  ~Broker() {
    root_.reset();  // its end
    (void)process_.wait(test::kPatience);
  }

  [[nodiscard]] test::Domain& root() { return *root_; }

 private:
  static constexpr std::uint32_t kBudgetPages = 1U << 16;

  test::TestCgroup cgroup_;
  Process process_;
  std::optional<test::Domain> root_;
};

// Sessions of `pages` each, two at a time at most.
class SessionPair {
 public:
  SessionPair(test::Domain& root, std::uint32_t pages)
      : pages_(pages),
        client_(root.create_child(2 * pages, "client")),
        driver_(root.create_child(0, "driver")),
        grant_(root.grant(client_, driver_, 0, "device")) {}

  [[nodiscard]] test::LiveSession connect() {
    return test::connect_session(client_, driver_, grant_, test::small_geometry(pages_));
  }
  void disconnect(test::LiveSession session) {
    test::close_session(client_, driver_, std::move(session));
  }

 private:
  std::uint32_t pages_;
  test::Domain client_;
  test::Domain driver_;
  Handle grant_;
};

}  // namespace cede::bench
