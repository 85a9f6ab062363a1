// SPDX-License-Identifier: Apache-2.0
// cede-bench: measurements, each side by side with what there is to be compared with.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdio>
#include <exception>
#include <memory>

#include "tests/bench/blk/command.h"
#include "tests/bench/interrupt.h"
#include "tests/bench/net/command.h"
#include "tests/bench/recovery/command.h"
#include "tests/bench/ring/command.h"
#include "tests/bench/scale/command.h"
#include "tests/bench/vm/command.h"

namespace cede::bench {
namespace {

int run(int argc, char** argv) {
  CLI::App app("Measures Cede beside what it has to be compared with, on this machine.");
  app.require_subcommand(1);
  const auto commands = std::to_array<std::unique_ptr<Command>>({
      std::make_unique<BlkCommand>(app),
      std::make_unique<NetCommand>(app),
      std::make_unique<RecoveryCommand>(app),
      std::make_unique<RingCommand>(app),
      std::make_unique<ScaleCommand>(app),
      std::make_unique<VmCommand>(app),
  });
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }
  catch_interrupts();
  const auto chosen =
      std::ranges::find_if(commands, [](const auto& command) { return command->chosen(); });
  return (*chosen)->run();
}

}  // namespace
}  // namespace cede::bench

int main(int argc, char** argv) {
  try {
    return cede::bench::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "cede-bench: %s\n", error.what());
    return 1;
  }
}
