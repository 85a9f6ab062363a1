// SPDX-License-Identifier: Apache-2.0
// `cede up` after the description was read: the machine, its control socket, and signals.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "vmm/supervisor/description.h"
#include "vmm/supervisor/machine.h"
#include "vmm/supervisor/runtime_dir.h"

namespace cede::supervisor {

// Called in the supervisor's own process, and in its successors'.
struct Reporter {
  std::function<void()> begin;                       // first of all: opens the log
  std::function<void(const std::string&)> progress;  // one line, in plain words
  std::function<void()> ready;                       // everything is connected
  std::function<void(const std::string&)> failed;    // it does not start, and why
};

// Runs the system until SIGTERM, SIGINT or a "down" request, or until the broker dies and can have
// no successor. The supervisor is a child process, and we are its keeper: when it is killed, the
// system goes on, and another takes it over. When we are killed, everything ends. True: it started,
// it ended in order, and every page came home. Throws std::runtime_error for want of resources.
[[nodiscard]] bool supervise(const System& system, Resources resources, RuntimeDir runtime,
                             const Reporter& reporter);

}  // namespace cede::supervisor
