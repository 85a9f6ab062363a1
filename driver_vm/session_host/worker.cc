// SPDX-License-Identifier: Apache-2.0
#include "driver_vm/session_host/worker.h"

#include <sched.h>
#include <spdlog/spdlog.h>

#include <algorithm>

namespace cede::driver {

bool Worker::run() {
  loop_.watch(stop_fd_, *this);
  host_.start();
  Instant idle_since = monotonic_now();
  Instant give_up = kNever;
  bool slept = false;
  while (!host_.finished()) {
    const Instant now = monotonic_now();
    host_.turn(now);
    if (host_.finished()) break;  // nothing would wake us any more
    bool worked = service_.turn(now);
    worked = loop_.poll() || worked;
    worked = service_.publish() || worked;
    if (host_.shutting_down() && give_up == kNever) give_up = now + kDrainDeadline;
    if (now >= give_up) {
      spdlog::error("operations are still in flight; giving up on them");
      return false;
    }
    if (worked) {
      if (slept) polling_.slept(now - idle_since);
      slept = false;
      idle_since = now;
    } else if (now - idle_since < polling_.budget()) {
      ::sched_yield();
    } else if (service_.arm()) {
      loop_.sleep(std::min({host_.deadline(), service_.deadline(), give_up}));
      slept = true;
    }
  }
  service_.settle();
  return true;
}

void Worker::complete(std::int32_t /*result*/, bool /*more*/) {
  host_.shut_down();
}

}  // namespace cede::driver
