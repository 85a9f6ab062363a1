// SPDX-License-Identifier: Apache-2.0
// cede down: stops a system, and tells whether every page came home.
#include <fmt/format.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <thread>

#include "protocols/posix/fd.h"
#include "vmm/cli/command.h"
#include "vmm/supervisor/control_client.h"
#include "vmm/supervisor/runtime_dir.h"

namespace cede::cli {
namespace {

namespace json = boost::json;

constexpr int kExitLimitMs = 10'000;

// The name, or the only system there is, be it running or left over from a killed one.
std::string choose(const std::string& name) {
  if (name.empty() && running_systems().empty()) {
    const std::vector<std::string> known = supervisor::known_systems();
    if (known.size() == 1) return known.front();
  }
  return choose_system(name);
}

// A descriptor that is readable once the process has ended.
Fd watch_process(pid_t pid) {
  return Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

// `cede up` of the same name works after that.
void wait_for_end(const Fd& process) {
  pollfd ended{.fd = process.get(), .events = POLLIN, .revents = 0};
  (void)::poll(&ended, 1, kExitLimitMs);
}

int clean_after_killed(const std::string& name) {
  const std::vector<std::string> known = supervisor::known_systems();
  if (std::find(known.begin(), known.end(), name) == known.end()) {
    throw std::runtime_error(fmt::format("system '{}' does not run", name));
  }
  if (!supervisor::clean_leftovers(name)) {
    throw std::runtime_error(fmt::format("system '{}' is starting; try again", name));
  }
  fmt::print("'{}' did not run; what a killed supervisor had left is removed\n", name);
  return kOk;
}

int stop_running(const std::string& name) {
  supervisor::ControlClient client(name);
  // By its credentials: a system that is starting answers to nothing but "down".
  const Fd process = watch_process(client.server());
  (void)client.ask({{"op", "down"}});
  while (true) {
    const json::object message = client.next();
    if (const json::value* line = message.if_contains("progress")) {
      fmt::print("{}\n", std::string_view(line->as_string()));
    }
    if (message.contains("done")) {
      wait_for_end(process);
      const bool clean = message.at("clean").as_bool();
      fmt::print("'{}' is down{}\n", name, clean ? "; every page is home" : "");
      return clean ? kOk : kFailed;
    }
  }
}

int run(const std::string& wanted) {
  const std::string name = choose(wanted);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(kExitLimitMs);
  while (supervisor::is_running(name)) {
    try {
      return stop_running(name);
    } catch (const std::runtime_error&) {
      // Killed while it was asked: its successor will do it, or there is something to clean up.
      if (std::chrono::steady_clock::now() >= deadline) throw;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
  return clean_after_killed(name);
}

}  // namespace

void add_down(CLI::App& app, int& exit_code) {
  auto name = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("down", "Stop a system: clients, then drivers, then all");
  command->add_option("NAME", *name, "The system; may be left out while one runs");
  command->footer(
      "Exits with 0 only if every page came home. Cleans up, too, after a supervisor that was\n"
      "killed.\n"
      "Example: cede down two-guests");
  command->callback([name, &exit_code] { exit_code = run(*name); });
}

}  // namespace cede::cli
