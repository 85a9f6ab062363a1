// SPDX-License-Identifier: Apache-2.0
// cede-bench: measurements, each side by side with what there is to be compared with.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>

#include "tests/bench/blk/command.h"
#include "tests/bench/interrupt.h"
#include "tests/bench/net/command.h"
#include "tests/bench/recovery/command.h"
#include "tests/bench/ring/command.h"
#include "tests/bench/scale/command.h"
#include "tests/bench/vm/command.h"

namespace {

int run(int argc, char** argv) {
  CLI::App app("Measures Cede beside what it has to be compared with, on this machine.");
  app.require_subcommand(1);
  cede::bench::BlkCommand blk(app);
  cede::bench::NetCommand net(app);
  cede::bench::RecoveryCommand recovery(app);
  cede::bench::RingCommand ring(app);
  cede::bench::ScaleCommand scale(app);
  cede::bench::VmCommand vm(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }
  cede::bench::catch_interrupts();
  if (recovery.chosen()) return recovery.run();
  if (ring.chosen()) return ring.run();
  if (scale.chosen()) return scale.run();
  if (vm.chosen()) return vm.run();
  return net.chosen() ? net.run() : blk.run();
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "cede-bench: %s\n", error.what());
    return 1;
  }
}
