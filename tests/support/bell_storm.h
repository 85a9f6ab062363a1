// SPDX-License-Identifier: Apache-2.0
// A driver that rings without end, and all the time.
#pragma once

#include <atomic>
#include <thread>

#include "protocols/posix/doorbell.h"

namespace cede::test {

class BellStorm {
 public:
  // `bell` outlives the storm.
  explicit BellStorm(const CallRinger& bell)
      : thread_([this, &bell] {
          while (!stop_) bell.ring();
        }) {}
  ~BellStorm() {
    stop_ = true;
    thread_.join();
  }
  BellStorm(const BellStorm&) = delete;
  BellStorm& operator=(const BellStorm&) = delete;

 private:
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

}  // namespace cede::test
