// SPDX-License-Identifier: Apache-2.0
// What every driver program is, whatever its device class: options, inherited descriptors, signals,
// the log, and the way from set-up into the sandbox and the loop.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "driver_vm/engine/event_loop.h"
#include "driver_vm/sandbox.h"
#include "driver_vm/session_host/capability.h"
#include "driver_vm/session_host/device_service.h"
#include "driver_vm/session_host/stats_page.h"
#include "protocols/posix/fd.h"

namespace CLI {
class App;
}

namespace cede::driver {

// The options that all driver programs share.
struct ProgramOptions {
  int capability_fd = -1;
  bool driver_vm = false;  // alone in a guest: no capability socket, and no sandbox but the machine
  int stats_fd = -1;
  Identity identity;
  bool no_sandbox = false;
  std::string log_level = "info";
};

// What main() does: parses the command line with the shared options and those of `add_options`,
// sets the log up under `name`, and returns serve(); an exception becomes one line and status 1.
[[nodiscard]] int run_program(const char* name, const char* title, int argc, char** argv,
                              ProgramOptions& options,
                              const std::function<void(CLI::App&)>& add_options,
                              const std::function<int()>& serve) noexcept;

// What every driver program has from the start: its capability, a descriptor that becomes
// readable on SIGTERM and SIGINT, and the counters. Made before the EventLoop, for it raises the
// limit on locked memory.
struct Inheritance {
  explicit Inheritance(const ProgramOptions& options);

  std::unique_ptr<Capability> capability;
  Fd stop;
  MappedStats stats;
};

// Enters the sandbox (in a driver VM: the machine is the sandbox), starts the loop for `operations`
// (IORING_OP_*), calls `started`, and serves until it is told to stop. The result is main()'s.
[[nodiscard]] int serve_sessions(
    const ProgramOptions& options, Inheritance& inheritance, EventLoop& loop,
    DeviceService& service, const DeviceCalls& calls, std::span<const std::uint8_t> operations,
    const std::function<void()>& started = [] {});

}  // namespace cede::driver
