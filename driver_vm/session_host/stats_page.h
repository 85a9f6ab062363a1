// SPDX-License-Identifier: Apache-2.0
// The page of counters: the supervisor's memory where it gave some, else memory of our own that
// nobody looks at.
#pragma once

#include <memory>
#include <utility>

#include "driver_vm/setup_error.h"
#include "protocols/posix/fd.h"
#include "protocols/posix/mapping.h"
#include "protocols/stats.h"

namespace cede::driver {

class MappedStats {
 public:
  MappedStats() : own_(std::make_unique<StatsPage>()), page_(own_.get()) {}

  // Throws SetupError. The memfd may be longer than the page, for whole pages of memory.
  explicit MappedStats(const Fd& memfd) {
    struct stat status {};
    if (::fstat(memfd.get(), &status) != 0 ||
        static_cast<std::size_t>(status.st_size) < sizeof(StatsPage)) {
      throw SetupError("--stats-fd: not a file of at least " + std::to_string(sizeof(StatsPage)) +
                       " bytes");
    }
    Result<Mapping> mapping = Mapping::map(memfd.get(), static_cast<std::size_t>(status.st_size));
    if (!mapping) throw SetupError("--stats-fd: cannot be mapped read-write");
    mapping_ = *std::move(mapping);
    page_ = reinterpret_cast<StatsPage*>(mapping_.data());
  }

  // Of sizeof(StatsPage) at least.
  explicit MappedStats(Mapping mapping)
      : mapping_(std::move(mapping)), page_(reinterpret_cast<StatsPage*>(mapping_.data())) {}

  [[nodiscard]] StatsPage& page() const noexcept { return *page_; }

 private:
  std::unique_ptr<StatsPage> own_;
  Mapping mapping_;
  StatsPage* page_ = nullptr;
};

}  // namespace cede::driver
