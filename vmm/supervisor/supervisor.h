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

struct Reporter {
  std::function<void(const std::string&)> progress;  // one line, in plain words
  std::function<void()> ready;                       // everything is connected
};

// Runs the system until SIGTERM, SIGINT or a "down" request, or until the broker dies and
// can have no successor. Children end
// with the thread that calls this. True: it started, it ended in order, and every page came home.
// Throws std::runtime_error if it does not start; what had been started is stopped then.
[[nodiscard]] bool supervise(const System& system, Resources resources, RuntimeDir runtime,
                             const Reporter& reporter);

}  // namespace cede::supervisor
