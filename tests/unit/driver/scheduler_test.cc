// SPDX-License-Identifier: Apache-2.0
#include "driver_vm/scheduler.h"

#include <gtest/gtest.h>

#include <array>
#include <map>

namespace cede::driver {
namespace {

using Client = Scheduler::Client;
using Cost = Scheduler::Cost;

// Serves clients that always have work of a fixed cost, until `total` is spent; what each got.
std::map<Client, Cost> serve_greedy(Scheduler& scheduler, const std::map<Client, Cost>& costs,
                                    Cost total) {
  std::map<Client, Cost> served;
  for (const auto& [client, cost] : costs) scheduler.wake(client);
  while (total > 0) {
    const Client client = *scheduler.current();
    const Cost cost = costs.at(client);
    scheduler.charge(cost);
    served[client] += cost;
    total -= cost;
  }
  return served;
}

TEST(Scheduler, NobodyWaitsNobodyIsServed) {
  Scheduler scheduler;
  scheduler.add(0, 1);
  EXPECT_FALSE(scheduler.current());
}

TEST(Scheduler, EqualWeightsGetEqualCostWhateverTheSizeOfTheirRequests) {
  Scheduler scheduler;
  scheduler.add(0, 1);
  scheduler.add(1, 1);
  auto served = serve_greedy(scheduler, {{0, 8 << 10}, {1, 1 << 20}}, Cost{1} << 30);
  EXPECT_NEAR(static_cast<double>(served[0]) / static_cast<double>(served[1]), 1.0, 0.01);
}

TEST(Scheduler, SharesFollowWeights) {
  Scheduler scheduler;
  scheduler.add(3, 1);
  scheduler.add(7, 4);
  scheduler.add(9, 100);
  auto served = serve_greedy(scheduler, {{3, 8192}, {7, 8192}, {9, 8192}}, Cost{1} << 31);
  EXPECT_NEAR(static_cast<double>(served[7]) / static_cast<double>(served[3]), 4.0, 0.05);
  EXPECT_NEAR(static_cast<double>(served[9]) / static_cast<double>(served[3]), 100.0, 1.0);
}

TEST(Scheduler, ATurnIsBoundedByTheQuantumAndOneItem) {
  Scheduler scheduler;
  scheduler.add(0, 100);
  scheduler.add(1, 1);
  scheduler.wake(0);
  scheduler.wake(1);
  Cost turn = 0;
  while (*scheduler.current() == 0) {
    scheduler.charge(8192);
    turn += 8192;
  }
  EXPECT_GE(turn, Scheduler::kQuantum);
  EXPECT_LT(turn, Scheduler::kQuantum + 8192);
}

TEST(Scheduler, ALateComerIsServedNext) {
  Scheduler scheduler;
  scheduler.add(0, 1);
  scheduler.add(1, 1);
  scheduler.wake(0);
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(scheduler.current(), 0U);
    scheduler.charge(1 << 20);
  }
  scheduler.wake(1);
  Cost before = 0;
  while (*scheduler.current() == 0) {
    scheduler.charge(8192);
    before += 8192;
  }
  EXPECT_LT(before, Scheduler::kQuantum + 8192);
}

TEST(Scheduler, IdlenessSavesNoCreditAndForgivesNoDebt) {
  Scheduler scheduler;
  scheduler.add(0, 1);
  scheduler.add(1, 1);
  // Client 0 takes a tiny turn many times: it must not pile up credit against client 1.
  for (int i = 0; i < 100; ++i) {
    scheduler.wake(0);
    ASSERT_EQ(scheduler.current(), 0U);
    scheduler.charge(1);
    scheduler.leave();
  }
  auto served = serve_greedy(scheduler, {{0, 4096}, {1, 4096}}, Cost{64} << 20);
  EXPECT_NEAR(static_cast<double>(served[0]) / static_cast<double>(served[1]), 1.0, 0.01);

  // Client 0 now leaves with a debt of eight turns; client 1 has those before it comes again.
  ASSERT_TRUE(scheduler.current());
  while (*scheduler.current() != 0) scheduler.charge(4096);
  scheduler.charge(8 * Scheduler::kQuantum);
  scheduler.leave();
  scheduler.wake(0);
  Cost other = 0;
  while (*scheduler.current() == 1) {
    scheduler.charge(4096);
    other += 4096;
  }
  EXPECT_GE(other, 6 * Scheduler::kQuantum);
  EXPECT_LE(other, 9 * Scheduler::kQuantum);
}

TEST(Scheduler, ARemovedClientHasNoTurnAndItsPlaceCanBeUsedAnew) {
  Scheduler scheduler;
  scheduler.add(0, 1);
  scheduler.add(1, 1);
  scheduler.wake(0);
  scheduler.wake(1);
  scheduler.remove(0);
  EXPECT_EQ(scheduler.current(), 1U);
  scheduler.leave();
  EXPECT_FALSE(scheduler.current());
  scheduler.add(0, 2);
  scheduler.wake(0);
  EXPECT_EQ(scheduler.current(), 0U);
}

TEST(Scheduler, AllPlacesCanBeTaken) {
  Scheduler scheduler;
  std::map<Client, Cost> costs;
  for (Client client = 0; client < Scheduler::kMaxClients; ++client) {
    scheduler.add(client, 1);
    costs[client] = 8192;
  }
  auto served =
      serve_greedy(scheduler, costs, Cost{Scheduler::kMaxClients} * 8 * Scheduler::kQuantum);
  for (const auto& [client, cost] : served) EXPECT_EQ(cost, 8 * Scheduler::kQuantum) << client;
  EXPECT_EQ(served.size(), Scheduler::kMaxClients);
}

}  // namespace
}  // namespace cede::driver
