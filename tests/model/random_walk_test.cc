// SPDX-License-Identifier: Apache-2.0
// Long random walks through a system far too large to explore: a dozen domains in a tree four deep,
// two dozen sessions, several drivers, all table limits within reach.
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <random>
#include <vector>

#include "tests/model/homeward.h"
#include "tests/model/moves.h"
#include "tests/model/world.h"

namespace cede::broker::model {
namespace {

struct WalkLimits {
  static constexpr std::uint32_t kDomains = 12;
  static constexpr std::uint32_t kGrants = 30;
  static constexpr std::uint32_t kSessions = 24;
  static constexpr std::uint32_t kBranchDomains = 6;
  static constexpr std::uint32_t kBranchGrants = 12;
  static constexpr std::uint32_t kBranchSessions = 9;
};

class Walker {
 public:
  explicit Walker(std::uint64_t seed) : random_(seed) {
    world_.state = initial_state<WalkLimits>(120, 40, 60);
  }

  [[nodiscard]] World<WalkLimits>& world() { return world_; }

  [[nodiscard]] Move next() {
    const std::uint32_t choice = below(100);
    if (choice < 8) return tree_move();
    if (choice < 16) return grant_move();
    if (choice < 30) return connect_move();
    if (choice < 70) return session_request();
    if (choice < 98) return shell_move();
    return time_or_death();
  }

 private:
  using Kind = Action::Kind;

  std::uint32_t below(std::uint32_t end) { return static_cast<std::uint32_t>(random_() % end); }

  // A handle from a table, mostly of a row in use and of the right generation.
  template <class Rows>
  Handle any(const Rows& rows) {
    Handle handle;
    for (int tries = 0; tries < 8; ++tries) {
      handle = handle_at(rows, below(static_cast<std::uint32_t>(rows.size())));
      if (rows[handle.index].used()) break;
    }
    if (below(100) == 0) --handle.generation;
    if (below(200) == 0) handle.index = static_cast<std::uint32_t>(rows.size()) + below(3);
    return handle;
  }
  // Pages: mostly few, seldom absurd.
  std::uint32_t pages() { return below(40) == 0 ? ~below(3) : below(9); }

  Move tree_move() {
    Action action{
        .actor = any(world_.state.domains), .subject = any(world_.state.domains), .pages = pages()};
    const std::uint32_t choice = below(40);
    action.kind = choice < 20 ? Kind::CreateDomain : choice < 39 ? Kind::Fund : Kind::DestroyDomain;
    if (below(2000) == 0) action.kind = Kind::SealSystem;
    return {action};
  }
  Move grant_move() {
    const Handle actor = below(2) == 0 ? root_handle(world_.state) : any(world_.state.domains);
    if (below(40) == 0) {
      return {{.kind = Kind::RevokeGrant,
               .status = static_cast<Status>(below(20)),
               .actor = actor,
               .subject = any(world_.state.grants)}};
    }
    return {{.kind = Kind::GrantDevice,
             .actor = actor,
             .subject = any(world_.state.domains),
             .object = any(world_.state.domains),
             .device = below(3)}};
  }
  Move connect_move() {
    const Handle grant = any(world_.state.grants);
    Handle actor = any(world_.state.domains);
    if (grant.index < WalkLimits::kGrants && below(10) != 0) {
      actor = handle_at(world_.state.domains, world_.state.grants[grant.index].client);
    }
    const std::uint32_t size = below(4) == 0 ? pages() : 1U << below(3);
    return {{.kind = Kind::Connect, .actor = actor, .subject = grant, .pages = size}};
  }
  Move session_request() {
    const Handle session = any(world_.state.sessions);
    Handle actor = any(world_.state.domains);
    if (session.index < WalkLimits::kSessions && below(10) != 0) {
      const SessionRow& row = world_.state.sessions[session.index];
      const Party& party = below(2) == 0 ? row.driver : row.client;
      actor = handle_at(world_.state.domains, party.domain);
    }
    const std::uint32_t choice = below(100);
    const Kind kind = choice < 85   ? Kind::Mapped
                      : choice < 88 ? Kind::Refuse
                      : choice < 93 ? Kind::Close
                                    : Kind::Release;
    return {{.kind = kind,
             .status = static_cast<Status>(below(20)),
             .actor = actor,
             .subject = session}};
  }
  // One of the answers that the shell and the kernel owe.
  Move shell_move() {
    std::vector<Move> owed;
    for_each_session_move(world_, [&](const Move& move) { owed.push_back(move); });
    return owed.empty() ? connect_move() : owed[below(static_cast<std::uint32_t>(owed.size()))];
  }
  Move time_or_death() {
    const Handle domain = any(world_.state.domains);
    const bool dies = below(10) == 0 && (domain.index != kRoot || below(20) == 0);
    if (dies) return {{.kind = Kind::DomainDied, .subject = domain}};
    return {{.kind = Kind::Tick, .elapsed_ms = below(40)}};
  }

  std::mt19937_64 random_;
  World<WalkLimits> world_;
};

struct Tally {
  std::size_t moves = 0;
  std::size_t changes = 0;
  std::size_t connected = 0;  // the most sessions connected at once
  std::size_t depth = 0;      // of the deepest living domain
  std::size_t longest_way_home = 0;
};

void note(Tally& tally, const World<WalkLimits>& world) {
  std::size_t connected = 0;
  for (const SessionRow& row : world.state.sessions) {
    connected += row.state == SessionState::Connected ? 1U : 0U;
  }
  tally.connected = std::max(tally.connected, connected);
  for (std::uint32_t domain = 0; domain < WalkLimits::kDomains; ++domain) {
    if (world.state.domains[domain].life != Life::Alive) continue;
    std::size_t depth = 0;
    for (std::uint32_t up = domain; up != kRoot; up = world.state.domains[up].parent) ++depth;
    tally.depth = std::max(tally.depth, depth);
  }
}

// One walk. False: something broke, and was reported.
bool walk(std::uint64_t seed, Tally& tally) {
  constexpr int kMoves = 4000;
  const StepFunction<WalkLimits> shipped = &step<WalkLimits>;
  Effects<WalkLimits> effects;
  Walker walker(seed);
  World<WalkLimits>& world = walker.world();
  for (int i = 0; i < kMoves && world.state.domains[kRoot].life == Life::Alive; ++i) {
    const Move move = walker.next();
    const World<WalkLimits> before = world;
    advance(world, move, shipped, effects);
    ++tally.moves;
    if (effects.size() == 0 && world == before) continue;
    ++tally.changes;
    const Violations violations = judge(before, move, world, effects);
    if (violations.any()) {
      ADD_FAILURE() << "seed " << seed << ", move " << i << " breaks " << to_string(violations);
      return false;
    }
    note(tally, world);
    if (tally.changes % 50 != 0) continue;
    const Homeward home = walk_home(world, shipped, effects);
    tally.longest_way_home = std::max(tally.longest_way_home, home.moves.size());
    if (!home.arrived) {
      ADD_FAILURE() << "seed " << seed << ", move " << i << ": pages do not come home";
      return false;
    }
  }
  return true;
}

void walk_for(std::chrono::milliseconds time, std::uint64_t seed) {
  Tally tally;
  const auto end = std::chrono::steady_clock::now() + time;
  std::size_t walks = 0;
  while (std::chrono::steady_clock::now() < end && walk(seed + walks, tally)) ++walks;
  std::printf(
      "seed %llu: %zu walks, %zu moves, %zu of them changed something; up to %zu sessions "
      "connected at once, domains %zu deep, every page home within %zu moves\n",
      static_cast<unsigned long long>(seed), walks, tally.moves, tally.changes, tally.connected,
      tally.depth, tally.longest_way_home);
}

TEST(RandomWalks, FromAFixedSeedKeepTheInvariants) {
  Tally tally;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) ASSERT_TRUE(walk(seed, tally));
  // A walk that never gets anywhere would keep every invariant as well.
  EXPECT_GE(tally.depth, 4U);
  EXPECT_GE(tally.connected, 6U);
}

TEST(RandomWalks, FromANewSeedEachTimeKeepTheInvariants) {
  const auto now = std::chrono::system_clock::now().time_since_epoch().count();
  walk_for(std::chrono::seconds(3), static_cast<std::uint64_t>(now));
}

}  // namespace
}  // namespace cede::broker::model
