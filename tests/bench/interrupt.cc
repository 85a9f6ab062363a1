// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/interrupt.h"

#include <csignal>
#include <stdexcept>

namespace cede::bench {
namespace {

volatile std::sig_atomic_t g_interrupted = 0;

}  // namespace

void catch_interrupts() {
  struct sigaction action {};
  action.sa_handler = [](int) { g_interrupted = 1; };
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

bool interrupted() noexcept {
  return g_interrupted != 0;
}

void throw_if_interrupted() {
  if (interrupted()) throw std::runtime_error("interrupted");
}

}  // namespace cede::bench
