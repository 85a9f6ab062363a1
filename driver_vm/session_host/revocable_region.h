// SPDX-License-Identifier: Apache-2.0
// A region whose client can take its memory back: of the policy "revocable", which exists for
// measurements only.
//
// Touching a page behind the end of a file that was shrunk raises SIGBUS. The handler finds the
// region by the address, puts zeroed pages of our own in the place of all of it, and marks it. The
// access is made again, reads zeroes or writes for nobody, and goes on; whoever looks at
// taken_back() closes the session. These pages are ours to pay for until then.
//
// What else a client can do raises no signal, and is not noticed here:
// - in a hole that was punched, the kernel makes a fresh page when we touch it, and we pay for it;
// - a system call that meets a lost page fails with EFAULT, like any I/O that fails;
// - io_uring goes on with the pages that it has pinned, which are nobody's else any more.
//
// All of it is for the one thread that touches regions: the handler runs in it, in mid-access.
#pragma once

#include <atomic>
#include <cstddef>
#include <span>

namespace cede::driver {

class RevocableRegion {
 public:
  // Has the handler installed, for good. Before the sandbox, which knows no such call. Throws
  // std::system_error.
  static void survive_faults();

  // A mapping's bytes, from its first page to its last; mapped for as long as this lives.
  explicit RevocableRegion(std::span<std::byte> bytes) noexcept;
  RevocableRegion(const RevocableRegion&) = delete;
  RevocableRegion& operator=(const RevocableRegion&) = delete;
  ~RevocableRegion();

  [[nodiscard]] bool taken_back() const noexcept {
    return taken_back_.load(std::memory_order_relaxed);
  }

  // The handler's part: if `address` is in one of the regions, replaces it. False: it is not.
  [[nodiscard]] static bool replace_at(const void* address) noexcept;

 private:
  std::span<std::byte> bytes_;
  std::atomic<bool> taken_back_ = false;
  std::atomic<RevocableRegion*> next_;  // of the list of all
};

}  // namespace cede::driver
