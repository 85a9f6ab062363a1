// SPDX-License-Identifier: Apache-2.0
// The honest clients' steady load: a disk that is read with 32 requests in flight, and echoes
// between two namespaces, a millisecond apart.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "tests/bench/blk/ram_image.h"
#include "tests/bench/blk/vhost_user_target.h"
#include "tests/bench/blk/workload.h"
#include "tests/bench/net/join.h"
#include "tests/bench/net/sample.h"

namespace cede::attack {

// Alice's is left, bob's is right.
using Namespaces = bench::Join;

struct VictimSample {
  bench::Sample disk;
  bench::NetSample network;
};

class Victims {
 public:
  // The victim's disk is the first `disk_bytes` of the image; they are filled with what only it
  // holds. `namespaces`: null for no network. Throws std::runtime_error.
  Victims(const std::string& disk_socket, const bench::RamImage& image, std::uint64_t disk_bytes,
          const Namespaces* namespaces);
  // Without a disk. Throws std::runtime_error.
  explicit Victims(const Namespaces& namespaces);

  // All loads at once. Throws std::runtime_error where one of them gets nowhere.
  [[nodiscard]] VictimSample work(std::chrono::milliseconds duration);
  // Throws std::runtime_error where there is a network, and none of the echoes comes back any more.
  void await_echo() const;
  // Reads all of the disk: is it as it was in the beginning, if there is one? Throws as work()
  // does.
  [[nodiscard]] bool disk_is_unharmed();

 private:
  std::optional<bench::VhostUserTarget> disk_;
  std::vector<std::byte> content_;
  const Namespaces* namespaces_;
};

}  // namespace cede::attack
