// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <thread>

#include "tests/attack/attack.h"
#include "tests/attack/client.h"

namespace cede::attack {
namespace {

constexpr int kThreads = 8;

void run(Client& client) {
  const auto spin = [] {
    // An endless loop without an effect need not be one.
    for (std::atomic<bool> effect = false;;) effect.store(true, std::memory_order_relaxed);
  };
  for (int i = 0; i < kThreads; ++i) std::thread(spin).detach();
  client.behave();
}

const Entry entry{{.name = "spinner",
                   .family = "data-plane",
                   .source = "what a guest that computes does, by right",
                   .does = "keeps all processors busy with eight threads, and reads on",
                   .holds = "its threads have one domain's share of the processors between them",
                   .run = &run}};

}  // namespace
}  // namespace cede::attack
