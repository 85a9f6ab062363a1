// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/recovery/broker_load.h"

#include <atomic>
#include <exception>
#include <thread>
#include <vector>

#include "tests/bench/interrupt.h"
#include "tests/bench/session_pair.h"

namespace cede::bench {
namespace {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::duration<double, std::milli>;

}  // namespace

SessionTimes time_sessions(unsigned sessions) {
  Broker broker;
  SessionPair pair(broker.root(), kSessionPages);
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
  std::vector<SessionPair> pairs;
  for (unsigned i = 0; i < clients; ++i) pairs.emplace_back(broker.root(), kSessionPages);
  std::atomic<unsigned> sessions = 0;
  std::vector<std::exception_ptr> failures(clients);
  const auto begin = Clock::now();
  const auto come_and_go = [&](SessionPair& pair, std::exception_ptr& failure) noexcept {
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
