// SPDX-License-Identifier: Apache-2.0
// cede-broker: owns the memory that domains share, and the ledger of whose it is.
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>
#include <utility>

#include "protocols/posix/lockdown.h"
#include "protocols/posix/start_up.h"
#include "vmm/broker/shell.h"

int main(int argc, char** argv) try {
  cede::broker::Options options;
  int root_fd = -1;
  std::string level = "info";
  CLI::App app{"Owns the memory that Cede's domains share, and the ledger of whose it is"};
  app.add_option("--root-fd", root_fd, "Our end of the root's capability socket")->required();
  app.add_option("--budget-pages", options.budget_pages, "The machine's, of 4 KiB")->required();
  app.add_option("--cgroup", options.cgroup, "Directory of the memory controller to charge below");
  app.add_option("--connect-deadline-ms", options.connect_deadline_ms, "From Connect to Connected");
  app.add_option("--drain-deadline-ms", options.drain_deadline_ms, "For a driver to let go");
  app.add_option("--log-level", level, "How much to say")
      ->check(CLI::IsMember({"trace", "debug", "info", "warn", "error", "critical", "off"}));
  // What is wrong with a command line ends like any other error, below.
  app.failure_message([](auto*, const CLI::Error& error) -> std::string { throw error; });
  CLI11_PARSE(app, argc, argv);

  cede::Fd root = cede::inherited(root_fd, "--root-fd");
  int type = 0;
  socklen_t size = sizeof type;
  ::getsockopt(root.get(), SOL_SOCKET, SO_TYPE, &type, &size);
  if (type != SOCK_SEQPACKET) {
    throw std::runtime_error("--root-fd: pass one end of a Unix socketpair of type SOCK_SEQPACKET");
  }

  cede::lockdown::forbid_gains();
  (void)std::signal(SIGPIPE, SIG_IGN);
  spdlog::set_default_logger(spdlog::stderr_logger_st("cede-broker"));
  spdlog::set_level(spdlog::level::from_str(level));
  return cede::broker::serve(options, std::move(root)) ? 0 : 1;
} catch (const std::exception& failure) {
  std::fprintf(stderr, "cede-broker: %s\n", failure.what());
  return 1;
}
