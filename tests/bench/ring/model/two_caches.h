// SPDX-License-Identifier: Apache-2.0
// Two cores with a private cache each, and the lines that move between them.
//
// Each line is held by neither cache, by one (which may then write it), or by both (which may read
// it): what MSI, MESI and MOESI have in common. Caches never run full.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace cede::bench::ring {

enum class Access : std::uint8_t { Read, Write };

// What an access took.
enum class Traffic : std::uint8_t {
  None,         // the cache had what it needed
  Memory,       // nobody had the line
  Transfer,     // the line came from the other cache
  Invalidation  // both had the line: the other had to drop it, but no data moved
};

class TwoCaches {
 public:
  explicit TwoCaches(std::size_t lines) : holders_(lines) {}

  // `core`: 0 or 1.
  Traffic access(unsigned core, std::size_t line, Access access) {
    const auto mine = static_cast<std::uint8_t>(1U << core);
    std::uint8_t& holders = holders_[line];
    const std::uint8_t before = holders;
    holders = access == Access::Write ? mine : before | mine;
    if (before == 0) return Traffic::Memory;
    if ((before & mine) == 0) return note(Traffic::Transfer);
    if (access == Access::Write && before != mine) return note(Traffic::Invalidation);
    return Traffic::None;
  }

  [[nodiscard]] bool holds(unsigned core, std::size_t line) const {
    return (holders_[line] >> core & 1U) != 0;
  }
  [[nodiscard]] std::uint64_t transfers() const { return transfers_; }
  [[nodiscard]] std::uint64_t invalidations() const { return invalidations_; }

 private:
  Traffic note(Traffic traffic) {
    ++(traffic == Traffic::Transfer ? transfers_ : invalidations_);
    return traffic;
  }

  std::vector<std::uint8_t> holders_;  // a bit for each core
  std::uint64_t transfers_ = 0;
  std::uint64_t invalidations_ = 0;
};

}  // namespace cede::bench::ring
