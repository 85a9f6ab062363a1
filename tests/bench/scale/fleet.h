// SPDX-License-Identifier: Apache-2.0
// Many clients of one block driver: each a domain of its own with one session, all of them in this
// process and on this thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "tests/bench/blk/cede_stack.h"
#include "tests/bench/blk/frontend_target.h"
#include "tests/bench/blk/ram_image.h"
#include "tests/support/test_cgroup.h"

namespace cede::bench {

inline constexpr std::uint32_t kFleetBlock = 4096;  // bytes of each operation
inline constexpr std::uint32_t kFleetPages = 256;   // of each session
inline constexpr std::uint32_t kFleetSlots = 32;    // of its ring

// What all clients together did.
struct FleetSample {
  std::vector<std::uint64_t> operations;  // of each client
  std::uint64_t errors = 0;  // operations that failed, or brought what is another client's
  double seconds = 0;
};

// Everything throws std::runtime_error.
class Fleet {
 public:
  // Broker, driver and client domains, as many as `sessions`; no session yet. Where there is a
  // memory cgroup that we may use, the broker charges the clients there.
  Fleet(const RamImage& image, unsigned sessions,
        supervisor::Policy policy = supervisor::Policy::Donated);
  Fleet(const Fleet&) = delete;
  Fleet& operator=(const Fleet&) = delete;

  // All clients ask at the same time. Milliseconds until each was connected, ascending.
  [[nodiscard]] std::vector<double> connect();
  // A closed loop: every client keeps `depth` random reads in flight.
  [[nodiscard]] FleetSample read(std::uint32_t depth, std::chrono::nanoseconds duration);
  // What the kernel charges for the sessions' pages, to the clients that pay for them and to the
  // driver. Nothing: there is no memory cgroup that we may use.
  struct Charged {
    double clients = 0;  // KiB
    double driver = 0;
    double in_regions = 0;  // of both; the rest was taken out, and is pinned
  };
  [[nodiscard]] std::optional<Charged> charged() const;
  // Every client, idle, has the kernel take the pages of its payload out of the region, if it may.
  void take_back();
  // The broker, then the driver.
  [[nodiscard]] std::vector<ServerProcess> servers() const { return stack_.servers(); }

 private:
  // Payload that is not of the client's own volume, when the last reads are back.
  [[nodiscard]] std::uint64_t strangers(std::uint32_t depth);

  std::uint64_t blocks_;  // of each client's volume
  test::TestCgroup cgroup_;
  CedeStack stack_;
  std::vector<std::unique_ptr<FrontendTarget>> clients_;
};

}  // namespace cede::bench
