// SPDX-License-Identifier: Apache-2.0
#include "driver_vm/session_host/revocable_region.h"

#include <sys/mman.h>

#include <cerrno>
#include <csignal>
#include <functional>
#include <system_error>

namespace cede::driver {
namespace {

// Atomic, as everything that a handler reads: it may come between any two instructions.
std::atomic<RevocableRegion*> first = nullptr;

void on_bus_error(int /*signal*/, siginfo_t* info, void* /*context*/) {
  const int error = errno;
  // No region of ours: a fault like any other program's. The sandbox has no call to raise it anew.
  if (!RevocableRegion::replace_at(info->si_addr)) __builtin_trap();
  errno = error;
}

}  // namespace

void RevocableRegion::survive_faults() {
  struct sigaction action {};
  action.sa_sigaction = on_bus_error;
  action.sa_flags = SA_SIGINFO;
  if (::sigaction(SIGBUS, &action, nullptr) != 0) {
    throw std::system_error(errno, std::system_category(), "cannot handle SIGBUS");
  }
}

RevocableRegion::RevocableRegion(std::span<std::byte> bytes) noexcept
    : bytes_(bytes), next_(first.load()) {
  first.store(this);
}

RevocableRegion::~RevocableRegion() {
  std::atomic<RevocableRegion*>* link = &first;
  while (link->load() != this) link = &link->load()->next_;
  link->store(next_.load());
}

bool RevocableRegion::replace_at(const void* address) noexcept {
  const std::less<const void*> before;
  for (RevocableRegion* region = first.load(); region != nullptr; region = region->next_.load()) {
    const std::span<std::byte> bytes = region->bytes_;
    if (before(address, bytes.data()) || !before(address, bytes.data() + bytes.size())) continue;
    constexpr int kInItsPlace = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
    const void* fresh =
        ::mmap(bytes.data(), bytes.size(), PROT_READ | PROT_WRITE, kInItsPlace, -1, 0);
    region->taken_back_.store(true);
    return fresh != MAP_FAILED;
  }
  return false;
}

}  // namespace cede::driver
