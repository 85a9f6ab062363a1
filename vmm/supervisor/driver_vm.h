// SPDX-License-Identifier: Apache-2.0
// What a driver that is a VM has beside its processes.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#include "protocols/posix/fd.h"
#include "vmm/supervisor/event_loop.h"
#include "vmm/supervisor/output_pipe.h"

namespace cede::supervisor {

// A VM that offers nothing by then is killed, and gets a new life. Under TCG, on a busy machine,
// half of it has been seen.
inline constexpr std::chrono::seconds kBootLimit{120};

// How far a life has come up.
struct VmBoot {
  bool ready = false;    // the driver in it runs, and may be offered sessions
  bool overdue = false;  // it did not in time, and the VM was killed for it
  Fd pipe;               // readable when the driver runs
  EventLoop::Registration watch;
  EventLoop::Registration limit;
};

// What its kernel and its driver print. A log of its own: the guest writes byte by byte, and would
// tear the lines of the host's programs apart.
struct VmConsole {
  VmConsole(EventLoop& loop, PipeEnds ends, std::filesystem::path file)
      : log(std::move(file)), pipe(loop, std::move(ends), [this](std::string_view text) {
          std::string lines(text);
          std::erase(lines, '\r');  // a serial line ends its lines with both
          log.append(lines);
        }) {}

  BoundedLog log;
  OutputPipe pipe;
};

}  // namespace cede::supervisor
