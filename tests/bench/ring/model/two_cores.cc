// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/ring/model/two_cores.h"

#include <algorithm>
#include <utility>

#include "protocols/shared_memory.h"

namespace cede::bench::ring {
namespace {

TwoCores* g_machine = nullptr;  // that is running

}  // namespace

TwoCores::TwoCores(std::span<std::byte> memory)
    : memory_(memory), caches_((memory.size() + kCacheLine - 1) / kCacheLine) {}

void TwoCores::run(std::function<void()> first, std::function<void()> second) {
  cores_[0].program = std::move(first);
  cores_[1].program = std::move(second);
  for (Core& core : cores_) {
    core.stack = std::make_unique<std::byte[]>(kStackBytes);
    core.ended = false;
    ::getcontext(&core.context);
    core.context.uc_stack.ss_sp = core.stack.get();
    core.context.uc_stack.ss_size = kStackBytes;
    ::makecontext(&core.context, &TwoCores::start, 0);
  }
  g_machine = this;
  running_ = 0;
  ::swapcontext(&caller_, &cores_[0].context);
  g_machine = nullptr;
}

void TwoCores::start() {
  TwoCores& machine = *g_machine;
  Core& self = machine.cores_[machine.running_];
  self.program();
  self.ended = true;
  Core& other = machine.cores_[1 - machine.running_];
  machine.running_ = 1 - machine.running_;
  ::setcontext(other.ended ? &machine.caller_ : &other.context);
}

void TwoCores::touch(const volatile void* place, std::size_t bytes, Access access) {
  if (g_machine == nullptr) return;
  const std::span<std::byte> memory = g_machine->memory_;
  const std::uintptr_t offset =
      reinterpret_cast<std::uintptr_t>(place) - reinterpret_cast<std::uintptr_t>(memory.data());
  if (offset < memory.size()) g_machine->account(offset, offset + bytes, access);
}

void TwoCores::account(std::size_t begin, std::size_t end, Access access) {
  for (std::size_t line = begin / kCacheLine; line <= (end - 1) / kCacheLine; ++line) {
    if (access == Access::Read && !caches_.holds(running_, line)) pass(kMiss);
    (void)caches_.access(running_, line, access);
    pass(1);
  }
}

// Lets time go by for the program that runs, and the other one catch up.
void TwoCores::pass(std::uint64_t steps) {
  Core& self = cores_[running_];
  Core& other = cores_[1 - running_];
  self.time += steps;
  if (other.ended || self.time <= other.time) return;
  running_ = 1 - running_;
  ::swapcontext(&self.context, &other.context);
}

}  // namespace cede::bench::ring
