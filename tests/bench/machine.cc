// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/machine.h"

#include <fmt/format.h>
#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <ctime>
#include <fstream>
#include <limits>
#include <thread>
#include <vector>

namespace cede::bench {
namespace {

std::string processor_model() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown processor";
}

}  // namespace

unsigned processors() noexcept {
  return std::max(1U, std::thread::hardware_concurrency());
}

std::vector<int> allowed_processors() {
  std::vector<int> found;
  cpu_set_t allowed;
  if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) return found;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &allowed)) found.push_back(cpu);
  }
  return found;
}

bool pin_to(int cpu) noexcept {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(cpu, &one);
  return ::sched_setaffinity(0, sizeof one, &one) == 0;
}

std::string describe_machine() {
  utsname system{};
  ::uname(&system);
  return fmt::format("{}, {} cores, {} {}", processor_model(), processors(), system.sysname,
                     system.release);
}

double process_seconds(pid_t pid) noexcept {
  clockid_t clock{};
  timespec used{};
  if (::clock_getcpuclockid(pid, &clock) != 0 || ::clock_gettime(clock, &used) != 0) return 0;
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
}

double machine_seconds() {
  // proc(5): user nice system idle iowait irq softirq steal
  std::ifstream file("/proc/stat");
  std::string label;
  file >> label;
  double busy = 0;
  for (int field = 0; field < 8; ++field) {
    double ticks = 0;
    file >> ticks;
    if (field != 3 && field != 4) busy += ticks;
  }
  return busy / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

double cache_line_round_trip() {
  constexpr int kRounds = 200;
  constexpr int kBatches = 10;
  const std::vector<int> places = allowed_processors();
  if (places.size() < 2) return 0;

  alignas(128) std::atomic<int> ball{0};
  std::atomic<bool> placed{true};
  std::thread peer([&] {
    placed = pin_to(places[1]);
    for (int turn = 1; turn < 2 * kRounds * kBatches; turn += 2) {
      while (ball.load(std::memory_order_acquire) != turn) {
      }
      ball.store(turn + 1, std::memory_order_release);
    }
  });
  // The fastest batch: whoever shares a processor with us has no say.
  double fastest = std::numeric_limits<double>::max();
  std::thread self([&] {
    if (!pin_to(places[0])) placed = false;
    for (int batch = 0, turn = 0; batch < kBatches; ++batch) {
      const auto begin = std::chrono::steady_clock::now();
      for (int round = 0; round < kRounds; ++round, turn += 2) {
        ball.store(turn + 1, std::memory_order_release);
        while (ball.load(std::memory_order_acquire) != turn + 2) {
        }
      }
      const std::chrono::duration<double, std::nano> took =
          std::chrono::steady_clock::now() - begin;
      fastest = std::min(fastest, took.count() / kRounds);
    }
  });
  self.join();
  peer.join();
  return placed ? fastest : 0;
}

}  // namespace cede::bench
