// SPDX-License-Identifier: Apache-2.0
// What is measured, of what, and how good it has to be.
#include <array>
#include <utility>

#include "tests/bench/net/join.h"
#include "tests/bench/net/load.h"
#include "tests/bench/net/measurement.h"
#include "tests/bench/net/pmd.h"

namespace cede::bench {
namespace {

using std::chrono::nanoseconds;

constexpr std::string_view kCede = "cede";

class Joined final : public Subject {
 public:
  using Load = NetSample (*)(const Join&, nanoseconds, Meter);

  Joined(std::unique_ptr<Join> join, Load load) : join_(std::move(join)), load_(load) {
    wait_until_joined(*join_);
  }
  NetSample run(nanoseconds duration) override {
    return load_(*join_, duration, Meter(join_->servers()));
  }

 private:
  std::unique_ptr<Join> join_;
  Load load_;
};

// Every join under this load.
std::vector<NetSystem> joins(std::span<const JoinKind> kinds, Joined::Load load) {
  std::vector<NetSystem> systems;
  for (const JoinKind& kind : kinds) {
    systems.push_back({kind.name, kind.what, [start = kind.start, load] {
                         return std::make_unique<Joined>(start(), load);
                       }});
  }
  return systems;
}

// Sets up everything for each sample: two of them that spin cannot be there at the same time.
class Alone final : public Subject {
 public:
  using Load = NetSample (*)(nanoseconds);

  explicit Alone(Load load) : load_(load) {}
  NetSample run(nanoseconds duration) override { return load_(duration); }

 private:
  Load load_;
};

NetSystem alone(std::string_view name, std::string_view what, Alone::Load load) {
  return {name, what, [load] { return std::make_unique<Alone>(load); }};
}

}  // namespace

std::vector<NetWorkload> join_workloads(std::span<const JoinKind> kinds,
                                        std::string_view compared) {
  return {
      {"tcp", "one TCP connection", "Gb/s", 1e9, "GB", 8e9, false, joins(kinds, run_tcp), compared},
      {"udp-64", "UDP in frames of 64 bytes", "kpps", 1e3, "million packets", 1e6, false,
       joins(kinds, run_udp), compared},
      {"ping", "ICMP echoes, one after the other", "per s", 1, "million echoes", 1e6, true,
       joins(kinds, run_ping), compared},
      {"ping-1ms", "the same with pauses of a millisecond", "per s", 1, "million echoes", 1e6, true,
       joins(kinds, run_slow_ping), compared},
  };
}

std::vector<NetWorkload> net_workloads() {
  std::vector<NetWorkload> all = join_workloads(join_kinds(), kCede);
  all.push_back({"pmd-64",
                 "frames of 64 bytes from testpmd to testpmd",
                 "Mpps",
                 1e6,
                 "million packets",
                 1e6,
                 false,
                 {alone(kCede, "virtio_user, Cede's vhost-user-net and cede-switch, virtio_user",
                        run_pmd_cede),
                  alone("net_vhost", "virtio_user to net_vhost", run_pmd_direct),
                  alone("three-spin", "virtio_user, a testpmd between two net_vhosts, virtio_user",
                        run_pmd_between)},
                 kCede});
  return all;
}

std::span<const NetGoal> net_goals() {
  static constexpr std::array<NetGoal, 4> kGoals{{
      {"tcp", "bridge", 0.6},
      {"udp-64", "vde", 2.0},
      {"pmd-64", "net_vhost", 0.25},
      {"pmd-64", "three-spin", 10.0},
  }};
  return kGoals;
}

}  // namespace cede::bench
