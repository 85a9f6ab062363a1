// SPDX-License-Identifier: Apache-2.0
// What a supervisor's successor has to know of the running system, in memory that outlives it.
//
// It says what *was* so when it was written, and the supervisor may have been killed between a deed
// and its record. So a successor believes it only where the broker's ledger and the kernel say the
// same; see Machine::adopt().
#pragma once

#include <sys/types.h>

#include <array>
#include <atomic>
#include <cstdint>

#include "protocols/session.h"

namespace cede::supervisor {

// As many as one broker serves.
inline constexpr std::size_t kMaxRecordedDomains = 384;
inline constexpr std::size_t kMaxRecordedLinks = 512;

// Plain bytes. Process ids are 0 where there is none.
struct Record {
  enum class Phase : std::uint8_t { Starting, Running, Stopping };
  struct Domain {
    Handle handle;
    pid_t process = 0;
    pid_t vm = 0;
    bool ready = false;  // a driver VM: sessions can be offered to it
    std::uint32_t lives = 0;
    bool awaits_pages = false;
  };
  struct Link {
    Handle grant;
    bool wanted = true;
    bool granting = false;  // the broker was asked, and its answer is not recorded yet
  };

  Phase phase = Phase::Starting;
  bool sealed = false;
  pid_t broker = 0;
  std::uint32_t broker_lives = 0;
  std::array<Domain, kMaxRecordedDomains> domains{};  // drivers, then clients, as described
  std::array<Link, kMaxRecordedLinks> links{};        // as plan_attachments() has them
};

// A record that is always whole: one copy is read while the other is written. Shared by all
// processes that are forked after it was made; one of them writes.
class SharedRecord {
 public:
  // Throws std::runtime_error.
  SharedRecord();
  SharedRecord(const SharedRecord&) = delete;
  SharedRecord& operator=(const SharedRecord&) = delete;
  ~SharedRecord();

  [[nodiscard]] const Record& read() const noexcept;
  void write(const Record& record) noexcept;

 private:
  struct Memory {
    std::array<Record, 2> copies;
    std::atomic<std::uint32_t> current;
  };
  Memory* memory_;
};

}  // namespace cede::supervisor
