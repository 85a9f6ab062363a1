// SPDX-License-Identifier: Apache-2.0
// Waiting for what comes about by itself.
#pragma once

#include <chrono>
#include <thread>

namespace cede {

// Looks again and again until a test gives up, which is never the norm. True: it came about.
[[nodiscard]] bool eventually(auto condition,
                              std::chrono::seconds patience = std::chrono::seconds(60)) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return true;
}

}  // namespace cede
