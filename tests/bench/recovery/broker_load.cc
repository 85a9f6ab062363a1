// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/recovery/broker_load.h"

#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <exception>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "tests/bench/interrupt.h"
#include "tests/bench/server_process.h"
#include "tests/support/broker_domain.h"
#include "tests/support/test_cgroup.h"
#include "vmm/supervisor/programs.h"

namespace cede::bench {
namespace {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::duration<double, std::milli>;

constexpr std::uint32_t kBudgetPages = 1U << 16;

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
  test::TestCgroup cgroup_;
  Process process_;
  std::optional<test::Domain> root_;
};

struct Pair {
  explicit Pair(test::Domain& root)
      : client(root.create_child(2 * kSessionPages, "client")),
        driver(root.create_child(0, "driver")),
        grant(root.grant(client, driver, 0, "device")) {}

  [[nodiscard]] test::LiveSession connect() {
    return test::connect_session(client, driver, grant, test::small_geometry(kSessionPages));
  }
  void disconnect(test::LiveSession session) {
    test::close_session(client, driver, std::move(session));
  }

  test::Domain client;
  test::Domain driver;
  Handle grant;
};

}  // namespace

SessionTimes time_sessions(unsigned sessions) {
  Broker broker;
  Pair pair(broker.root());
  SessionTimes times;
  for (unsigned i = 0; i < sessions; ++i) {
    throw_if_interrupted();
    const auto begin = Clock::now();
    test::LiveSession session = pair.connect();
    const auto connected = Clock::now();
    pair.disconnect(std::move(session));
    times.connect += Milliseconds(connected - begin).count() / sessions;
    times.disconnect += Milliseconds(Clock::now() - connected).count() / sessions;
  }
  return times;
}

double churn(unsigned clients, std::chrono::nanoseconds duration) {
  Broker broker;
  std::vector<Pair> pairs;
  for (unsigned i = 0; i < clients; ++i) pairs.emplace_back(broker.root());
  std::atomic<unsigned> sessions = 0;
  std::vector<std::exception_ptr> failures(clients);
  const auto begin = Clock::now();
  const auto come_and_go = [&](Pair& pair, std::exception_ptr& failure) noexcept {
    try {
      while (Clock::now() - begin < duration && !interrupted()) {
        pair.disconnect(pair.connect());
        ++sessions;
      }
    } catch (...) {
      failure = std::current_exception();
    }
  };
  {
    std::vector<std::jthread> threads;
    for (unsigned i = 0; i < clients; ++i) {
      threads.emplace_back(come_and_go, std::ref(pairs[i]), std::ref(failures[i]));
    }
  }
  const std::chrono::duration<double> took = Clock::now() - begin;
  for (const std::exception_ptr& failure : failures) {
    if (failure) std::rethrow_exception(failure);
  }
  return sessions / took.count();
}

}  // namespace cede::bench
