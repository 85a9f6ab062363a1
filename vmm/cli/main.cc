// SPDX-License-Identifier: Apache-2.0
// cede: makes systems of driver and client domains, and shows what they do.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>

#include "vmm/cli/command.h"

namespace {

constexpr const char* kAbout =
    "Driver domains for QEMU/KVM: block and network devices served by untrusted domains, over\n"
    "memory that each client gives up and cannot take back.";

constexpr const char* kFooter =
    "Examples:\n"
    "  cede check system.toml             find every mistake in a description\n"
    "  cede up system.toml                start it; returns once everything is connected\n"
    "  cede ls                            domains, sessions, pages, and whether the books balance\n"
    "  cede top                           operations, MB/s, latency and dropped frames, live\n"
    "  cede qemu-args demo alice          how to attach a VM of your own to alice's devices\n"
    "  cede disconnect demo alice vda     take a device away; its pages go home\n"
    "  cede restart demo disk0            a driver's next life, without an error for anybody\n"
    "  cede down demo                     stop; tells whether every page came home\n"
    "\n"
    "NAME can be left out while one system runs. Descriptions look like those in docs/examples;\n"
    "cede-system.toml(5) explains every key.\n"
    "\n"
    "Exit codes: 0 it worked, 1 it did not, 2 the command line or the description is wrong.";

int run(int argc, char** argv) {
  int exit_code = cede::cli::kOk;
  CLI::App app{kAbout, "cede"};
  app.footer(kFooter);
  app.set_version_flag("--version", "cede " CEDE_VERSION);
  app.require_subcommand(1);
  cede::cli::add_up(app, exit_code);
  cede::cli::add_down(app, exit_code);
  cede::cli::add_ls(app, exit_code);
  cede::cli::add_top(app, exit_code);
  cede::cli::add_connect(app, exit_code);
  cede::cli::add_disconnect(app, exit_code);
  cede::cli::add_restart(app, exit_code);
  cede::cli::add_check(app, exit_code);
  cede::cli::add_qemu_args(app, exit_code);
  cede::cli::add_demo(app, exit_code);
  cede::cli::add_measurements(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // Help and version are "errors" of code 0.
    return app.exit(error) == 0 ? cede::cli::kOk : cede::cli::kUsage;
  }
  return exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const cede::cli::UsageError& error) {
    std::fprintf(stderr, "cede: %s\n", error.what());
    return cede::cli::kUsage;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "cede: %s\n", error.what());
    return cede::cli::kFailed;
  }
}
