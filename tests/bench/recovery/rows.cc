// SPDX-License-Identifier: Apache-2.0
// What is measured, of what.
#include <algorithm>
#include <chrono>

#include "tests/bench/interrupt.h"
#include "tests/bench/recovery/broker_load.h"
#include "tests/bench/recovery/measurement.h"
#include "tests/bench/recovery/served_guest.h"

namespace cede::bench {
namespace {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::duration<double, std::milli>;

constexpr unsigned kWarmUp = 100;
constexpr unsigned kClients = 8;

// From the kill to the first answer. A new system each time: the supervisor waits longer before a
// life whose predecessor was short.
double time_of_crash(const DriverKind& kind) {
  ServedGuest guest(kind);
  for (unsigned i = 0; i < kWarmUp; ++i) (void)guest.read();
  const auto begin = Clock::now();
  guest.kill_driver();
  (void)guest.read();
  return Milliseconds(Clock::now() - begin).count();
}

// The longest that the guest waits for an answer.
double pause_of_restart(const DriverKind& kind) {
  ServedGuest guest(kind);
  for (unsigned i = 0; i < kWarmUp; ++i) (void)guest.read();
  guest.begin_restart();
  ServedGuest::Duration longest{};
  do {
    throw_if_interrupted();
    for (unsigned i = 0; i < kWarmUp; ++i) longest = std::max(longest, guest.read());
  } while (guest.restarting());
  return Milliseconds(longest).count();
}

}  // namespace

std::vector<RecoveryRow> recovery_rows(bool quick, const std::filesystem::path& images) {
  std::vector<RecoveryRow> rows;
  for (const DriverKind& kind : driver_kinds(images)) {
    rows.push_back({"crash", kind.name, "from kill -9 to the first read's answer", "ms",
                    [kind] { return time_of_crash(kind); }});
    rows.push_back({"restart", kind.name, "a guest's longest wait during cede restart", "ms",
                    [kind] { return pause_of_restart(kind); }});
  }
  const unsigned sessions = quick ? 5 : 100;
  const auto duration = std::chrono::milliseconds(quick ? 200 : 2000);
  rows.push_back({"connect", "broker", "from Connect to Connected, 1 MiB", "ms",
                  [=] { return time_sessions(sessions).connect; }});
  rows.push_back({"disconnect", "broker", "from Close to Closed, the pages home", "ms",
                  [=] { return time_sessions(sessions).disconnect; }});
  rows.push_back({"churn-1", "broker", "sessions of 1 MiB that come and go, one client", "per s",
                  [=] { return churn(1, duration); }});
  rows.push_back({"churn-8", "broker", "the same with eight clients at a time", "per s",
                  [=] { return churn(kClients, duration); }});
  return rows;
}

}  // namespace cede::bench
