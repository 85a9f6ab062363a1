// SPDX-License-Identifier: Apache-2.0
// Who pays for a region, and whether anybody still holds it: the memory controller of cgroup v1 or
// v2 (Documentation/admin-guide/cgroup-v1/memory.rst and cgroup-v2.rst, "memory.stat").
//
//   DIR/<domain>                    one for each domain: index-generation of its handle
//   DIR/<domain>/run                for its processes; whoever starts them moves them here
//   DIR/<domain>/session-<session>  the pages of one session, and nothing else
#pragma once

#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include "protocols/session.h"
#include "protocols/status.h"

namespace cede::broker {

// What of a session's cgroup is, or was, its region. In bytes.
struct Charge {
  // Falls when the last mapping, descriptor and message in flight is gone.
  std::uint64_t shmem = 0;
  // Pages on the kernel's lists: those that io_uring, a pipe or direct I/O pins stay here after the
  // file is gone, when `shmem` no longer counts them (tried: registered buffers).
  std::uint64_t listed = 0;
  // Neither of them counts a page that was swapped out.
  std::uint64_t swapped = 0;

  [[nodiscard]] bool covers(std::uint64_t bytes) const noexcept { return shmem + swapped >= bytes; }
  [[nodiscard]] bool none() const noexcept { return shmem == 0 && listed == 0 && swapped == 0; }
};

// Reads the lines that matter of a memory.stat of either version. Nothing: a line is missing or not
// a number, so the text proves nothing.
[[nodiscard]] std::optional<Charge> parse_memory_stat(std::istream& text);

class MemoryCgroup {
 public:
  // `dir` exists and belongs to the caller alone. NotSupported: it is not of a memory controller.
  [[nodiscard]] static Result<MemoryCgroup> open(std::string dir);

  [[nodiscard]] std::string of_domain(Handle domain) const;
  [[nodiscard]] std::string of_session(Handle payer, Handle session) const;

  [[nodiscard]] Status add_domain(Handle domain) const;
  [[nodiscard]] Status add_session(const std::string& dir) const;
  [[nodiscard]] std::optional<Charge> charge(const std::string& session_dir) const;

  // Removes the directory now, or in a later sweep() once the last process has left it.
  void discard(std::string dir);
  void discard_domain(Handle domain);
  // Tries again what could not be removed.
  void sweep();
  [[nodiscard]] bool swept() const noexcept { return discarded_.empty(); }

 private:
  MemoryCgroup(std::string dir, bool unified) : dir_(std::move(dir)), unified_(unified) {}

  std::string dir_;
  bool unified_;  // v2
  std::vector<std::string> discarded_;
};

}  // namespace cede::broker
