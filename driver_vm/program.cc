// SPDX-License-Identifier: Apache-2.0
#include "driver_vm/program.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <exception>
#include <optional>
#include <utility>

#include "driver_vm/guest/guest_devices.h"
#include "driver_vm/session_host/session_host.h"
#include "driver_vm/session_host/socket_capability.h"
#include "driver_vm/session_host/worker.h"
#include "driver_vm/setup_error.h"
#include "protocols/posix/scheduling.h"
#include "protocols/posix/start_up.h"

namespace cede::driver {
namespace {

void add_program_options(CLI::App& app, ProgramOptions& options) {
  app.option_defaults()->take_last();
  CLI::Option_group* way = app.add_option_group("sessions", "where sessions come from");
  way->add_option("--capability", options.capability_fd,
                  "capability socket to the broker (inherited descriptor)");
  way->add_flag("--driver-vm", options.driver_vm,
                "the devices of the driver VM that this program is the one service of");
  way->require_option(1);
  app.add_option("--stats-fd", options.stats_fd, "memfd for the counters (inherited descriptor)");
  CLI::Option* uid = app.add_option("--uid", options.identity.uid, "become this user (needs root)");
  CLI::Option* gid = app.add_option("--gid", options.identity.gid, "and this group");
  uid->needs(gid);
  gid->needs(uid);
  app.add_flag("--no-sandbox", options.no_sandbox, "keep all privileges: for debugging only");
  app.add_option("--log-level", options.log_level)
      ->check(CLI::IsMember({"trace", "debug", "info", "warn", "error", "off"}));
}

// Regions are pinned; what the client gave must not be limited by what this process may lock.
void raise_memory_lock_limit() {
  const rlimit unlimited{RLIM_INFINITY, RLIM_INFINITY};
  if (::geteuid() == 0) (void)::setrlimit(RLIMIT_MEMLOCK, &unlimited);
}

[[nodiscard]] std::unique_ptr<Capability> open_capability(const ProgramOptions& options) {
  if (options.driver_vm) return open_guest_capability();
  return std::make_unique<SocketCapability>(inherited(options.capability_fd, "--capability"));
}

[[nodiscard]] MappedStats mapped_stats(const ProgramOptions& options) {
  if (options.driver_vm) {
    std::optional<Mapping> host = map_guest_stats();
    return host ? MappedStats(*std::move(host)) : MappedStats();
  }
  if (options.stats_fd < 0) return {};
  return MappedStats(inherited(options.stats_fd, "--stats-fd"));
}

}  // namespace

int run_program(const char* name, const char* title, int argc, char** argv, ProgramOptions& options,
                const std::function<void(CLI::App&)>& add_options,
                const std::function<int()>& serve) noexcept {
  try {
    CLI::App app(title);
    add_program_options(app, options);
    add_options(app);
    // What is wrong with a command line ends like any other error, below.
    app.failure_message([](auto*, const CLI::Error& error) -> std::string { throw error; });
    CLI11_PARSE(app, argc, argv);
    spdlog::set_default_logger(spdlog::stderr_logger_st(name));
    spdlog::set_pattern("%n: %l: %v");
    spdlog::set_level(spdlog::level::from_str(options.log_level));
    return serve();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: error: %s\n", name, error.what());
    return 1;
  }
}

Inheritance::Inheritance(const ProgramOptions& options)
    : capability(open_capability(options)), stop(stop_signals()), stats(mapped_stats(options)) {
  (void)std::signal(SIGXFSZ, SIG_IGN);  // an error where it arises
  raise_memory_lock_limit();
  prefer_short_bursts();
}

int serve_sessions(const ProgramOptions& options, Inheritance& inheritance, EventLoop& loop,
                   DeviceService& service, const DeviceCalls& calls,
                   std::span<const std::uint8_t> operations, const std::function<void()>& started) {
  SessionHost host(*inheritance.capability, loop, service, inheritance.stats.page());
  Worker worker(loop, host, service, inheritance.stop.get());
  if (options.driver_vm) {
    spdlog::info("the virtual machine is the sandbox");
  } else if (options.no_sandbox) {
    spdlog::warn("--no-sandbox: running with all privileges, for debugging only");
  } else {
    enter_sandbox(options.identity, calls);
  }
  loop.start(operations);
  started();
  return worker.run() ? 0 : 1;
}

}  // namespace cede::driver
