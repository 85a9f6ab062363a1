// SPDX-License-Identifier: Apache-2.0
// cede up: starts a system, in the background or not.
#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <utility>

#include "protocols/posix/fd.h"
#include "vmm/cli/command.h"
#include "vmm/cli/description_errors.h"
#include "vmm/supervisor/checks.h"
#include "vmm/supervisor/driver_vm_checks.h"
#include "vmm/supervisor/supervisor.h"

namespace cede::cli {
namespace {

using supervisor::Problems;
using supervisor::Resources;
using supervisor::RuntimeDir;
using supervisor::System;

constexpr const char* kLog = "supervisor";
constexpr std::size_t kLogBytes = 1 << 20;
constexpr std::chrono::seconds kPatience{3};

// What the background process tells the one that the user waits for: a letter and a line.
constexpr char kProgress = 'P';
constexpr char kError = 'E';
constexpr char kReady = 'R';

void log_to(const std::filesystem::path& file) {
  auto log = spdlog::rotating_logger_st(kLog, file, kLogBytes, 1);
  log->flush_on(spdlog::level::info);
  spdlog::set_default_logger(std::move(log));
}

int run_in_foreground(const System& system, Resources resources, RuntimeDir runtime) {
  const supervisor::Reporter reporter{
      .begin = [log = runtime.log(kLog)] { log_to(log); },
      .progress = [](const std::string& line) { fmt::print("{}\n", line), std::fflush(stdout); },
      .ready = [] { fmt::print("up; stop it with Ctrl-C\n"), std::fflush(stdout); },
      .failed = [](const std::string& why) { fmt::print(stderr, "cede: {}\n", why); }};
  return supervisor::supervise(system, std::move(resources), std::move(runtime), reporter)
             ? kOk
             : kFailed;
}

// The user's process is told everything until the system is up, and ends then: so the pipe's end is
// closed, and later lines go to the log alone.
int run_as_daemon(const System& system, Resources resources, RuntimeDir runtime, Fd pipe) {
  ::setsid();
  (void)std::signal(SIGHUP, SIG_IGN);
  (void)std::signal(SIGPIPE, SIG_IGN);
  const Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    ::dup2(null.get(), standard);
  }
  (void)!::chdir("/");
  const auto tell = [&pipe](char kind, const std::string& line) {
    if (!pipe) return;
    const std::string text = fmt::format("{}{}\n", kind, line);
    (void)!::write(pipe.get(), text.data(), text.size());
  };
  const supervisor::Reporter reporter{
      .begin = [log = runtime.log(kLog)] { log_to(log); },
      .progress = [&](const std::string& line) { tell(kProgress, line); },
      .ready = [&] { tell(kReady, ""), pipe.reset(); },
      .failed = [&](const std::string& why) { tell(kError, why); }};
  try {
    const bool clean =
        supervisor::supervise(system, std::move(resources), std::move(runtime), reporter);
    return clean ? kOk : kFailed;
  } catch (const std::exception& error) {
    tell(kError, error.what());
    return kFailed;
  }
}

pid_t daemon_pid = 0;

// Shows what the background process tells, until it is up or has ended.
int watch_daemon(Fd pipe) {
  // Interrupted, the user wants no system: the background process winds up, and says so.
  struct sigaction forward {};
  forward.sa_handler = [](int) { ::kill(daemon_pid, SIGTERM); };
  ::sigaction(SIGINT, &forward, nullptr);
  ::sigaction(SIGTERM, &forward, nullptr);
  std::string text;
  std::array<char, 4096> buffer;
  while (true) {
    const ssize_t got = ::read(pipe.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return kFailed;
    text.append(buffer.data(), static_cast<std::size_t>(got));
    std::size_t end = 0;
    while ((end = text.find('\n')) != std::string::npos) {
      const std::string line = text.substr(1, end - 1);
      const char kind = text.front();
      text.erase(0, end + 1);
      if (kind == kReady) return kOk;
      fmt::print(kind == kError ? stderr : stdout, "{}{}\n", kind == kError ? "cede: " : "", line);
      std::fflush(stdout);
    }
  }
}

int run_in_background(const System& system, Resources resources, RuntimeDir runtime) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("cannot make a pipe");
  Fd in(ends[0]);
  Fd out(ends[1]);
  std::fflush(nullptr);
  daemon_pid = ::fork();
  if (daemon_pid < 0) throw std::runtime_error("cannot start a process");
  if (daemon_pid == 0) {
    in.reset();
    const int code =
        run_as_daemon(system, std::move(resources), std::move(runtime), std::move(out));
    std::exit(code);  // NOLINT(concurrency-mt-unsafe): one thread
  }
  out.reset();
  std::move(runtime).abandon();
  const int code = watch_daemon(std::move(in));
  if (code == kOk) {
    fmt::print("'{}' is up; see: cede ls {}; stop it with: cede down {}\n", *system.name,
               *system.name, *system.name);
  }
  return code;
}

int run(const std::string& file, bool foreground) {
  // The supervisor lives on: whatever the caller happens to have open is not ours to keep.
  (void)::close_range(STDERR_FILENO + 1, ~0U, 0);
  Problems problems;
  Problems warnings;
  const System system = supervisor::load_system(file, problems);
  if (problems.empty()) supervisor::check_system(system, problems, warnings);
  print_problems(file, warnings);
  if (!problems.empty()) {
    print_problems(file, problems);
    return kUsage;
  }
  auto runtime = RuntimeDir::claim(*system.name);
  if (!runtime) {
    throw std::runtime_error(
        fmt::format("system '{}' runs already; see: cede ls {}; stop it with: cede down {}",
                    *system.name, *system.name, *system.name));
  }
  Resources resources{supervisor::open_disks(system, problems, kPatience),
                      supervisor::open_interfaces(system, problems, kPatience)};
  supervisor::check_driver_vms(system, problems);
  if (!problems.empty()) {
    print_problems(file, problems);
    return kUsage;
  }
  return foreground ? run_in_foreground(system, std::move(resources), *std::move(runtime))
                    : run_in_background(system, std::move(resources), *std::move(runtime));
}

}  // namespace

void add_up(CLI::App& app, int& exit_code) {
  struct Options {
    std::string file;
    bool foreground = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("up", "Start the system that a description describes");
  command->add_option("FILE", options->file, "The system description, in TOML")->required();
  command->add_flag("--foreground", options->foreground,
                    "Stay in the terminal; Ctrl-C stops the system");
  command->footer(
      "Returns once every device is connected, and leaves the supervisor in the background.\n"
      "Its logs are in the runtime directory: /run/cede/NAME/log for root.\n"
      "Example: cede up docs/examples/two-guests.toml");
  command->callback([options, &exit_code] { exit_code = run(options->file, options->foreground); });
}

}  // namespace cede::cli
