// SPDX-License-Identifier: Apache-2.0
// Every reachable state of the small systems keeps every invariant, and can be brought home.
#include <gtest/gtest.h>

#include <cstdio>
#include <ctime>

#include "tests/model/setups.h"
#include "tests/model/trace.h"

namespace cede::broker::model {
namespace {

template <class Limits>
void explore(const Setup<Limits>& setup) {
  const StepFunction<Limits> shipped = &step<Limits>;
  const std::clock_t start = std::clock();
  const Exploration found = Explorer<Limits>(setup, shipped).run();
  const double took = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  std::printf(
      "%s: %zu states, %zu transitions, %zu levels deep, every page home within %zu moves, "
      "at most %zu of %zu effects, %.1f s of CPU\n",
      std::string(setup.name).c_str(), found.states, found.transitions, found.levels,
      found.longest_way_home, found.most_effects, Effects<Limits>::kCapacity, took);
  EXPECT_TRUE(found.violations.none()) << Narrator<Limits>(setup).tell(found, shipped);
}

TEST(Exploration, PeersCannotHarmEachOther) {
  explore(peers());
}
TEST(Exploration, ThreeSessionsEndInEveryOrder) {
  explore(parting());
}
TEST(Exploration, TreesOfEveryShapeKeepTheInvariants) {
  explore(grove());
}

}  // namespace
}  // namespace cede::broker::model
