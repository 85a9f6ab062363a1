// SPDX-License-Identifier: Apache-2.0
#include "tests/report/parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <stdexcept>

#include "tests/report/chapters/chapters.h"

namespace cede::report {

std::span<const Part> all_parts() {
  using enum Part::Images;
  static constexpr std::array<Part, 7> kParts = {{
      {"attack", "Attacks", "Hostile clients and drivers, and what a victim beside them notices.",
       "cede-attack", "tests/attack", "matrix", Useless, read_attack},
      {"blk", "Disks", "Block devices beside raw io_uring and qemu-storage-daemon.", "cede-bench",
       "tests/bench", "blk", Useless, read_block},
      {"net", "Networks", "Two namespaces joined by Cede, a bridge, vde_switch, DPDK.",
       "cede-bench", "tests/bench", "net", Useless, read_net},
      {"recovery", "Death and return",
       "How long a guest waits when its driver dies or is restarted.", "cede-bench", "tests/bench",
       "recovery", Useful, read_recovery},
      {"scale", "Many sessions", "One driver with more and more sessions, idle and active.",
       "cede-bench", "tests/bench", "scale", Useless, read_scale},
      {"ring", "Rings", "Cede's ring beside other rings, and beside bare cache lines.",
       "cede-bench", "tests/bench", "ring", Useless, read_ring},
      {"vm", "Driver VMs", "Drivers in virtual machines beside drivers in processes.", "cede-bench",
       "tests/bench", "vm", Needed, read_vm},
  }};
  return kParts;
}

std::vector<Part> chosen_parts(std::span<const std::string> names) {
  const std::span<const Part> all = all_parts();
  for (const std::string& name : names) {
    if (std::ranges::find(all, name, &Part::name) != all.end()) continue;
    std::string known;
    for (const Part& part : all) known += fmt::format(" {}", part.name);
    throw std::runtime_error(fmt::format("'{}' is no part of a report; there are:{}", name, known));
  }
  std::vector<Part> chosen;
  for (const Part& part : all) {
    if (names.empty() || std::ranges::find(names, part.name) != names.end()) chosen.push_back(part);
  }
  return chosen;
}

}  // namespace cede::report
