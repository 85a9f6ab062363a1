// SPDX-License-Identifier: Apache-2.0
// Any sequence of messages, kernel answers, deaths and time through the broker's core: every
// invariant after every step, and at the end a way home for every page.
//
// Messages may say anything. The kernel's and the shell's own words are true, as they are by
// construction: they come when they were asked for (tests/model/world.h keeps the truth).
#include "tests/fuzz/fuzz_input.h"
#include "tests/model/homeward.h"
#include "tests/model/world.h"

#ifndef CEDE_SEED
#define CEDE_SEED None  // a defect of vmm/broker/core/mutation.h, for the fuzzer's own test
#endif

using namespace cede;                 // NOLINT: a fuzz target is one function
using namespace cede::broker;         // NOLINT
using namespace cede::broker::model;  // NOLINT
using cede::fuzz::Input;
using cede::fuzz::require;

namespace {

struct Limits {
  static constexpr std::uint32_t kDomains = 8;
  static constexpr std::uint32_t kGrants = 6;
  static constexpr std::uint32_t kSessions = 5;
  static constexpr std::uint32_t kBranchDomains = 4;
  static constexpr std::uint32_t kBranchGrants = 4;
  static constexpr std::uint32_t kBranchSessions = 3;
};
constexpr std::uint32_t kBudget = 64;
constexpr StepFunction<Limits> kStep = step<Limits, Mutation::CEDE_SEED>;

// A row's name, mostly; else an older one, a later one, or one of no row.
template <class Rows>
Handle any_handle(Input& input, const Rows& rows) {
  const std::uint32_t index = input.below(static_cast<std::uint32_t>(rows.size()) + 1);
  if (index == rows.size()) return input.take<Handle>();
  const std::uint32_t age = input.below(8);
  return {index, rows[index].generation - (age < 3 ? age - 1 : 0)};
}

std::uint32_t any_pages(Input& input) {
  return input.below(16) == 0 ? input.take<std::uint32_t>() : input.below(kBudget / 4);
}

Action message(Input& input, const State<Limits>& state, Action::Kind kind) {
  Action action{.kind = kind, .status = static_cast<Status>(input.below(20))};
  action.actor = handle_at(state.domains, input.below(Limits::kDomains));
  switch (subject_of(kind)) {
    case Names::Domain:
      action.subject = any_handle(input, state.domains);
      break;
    case Names::Grant:
      action.subject = any_handle(input, state.grants);
      break;
    case Names::Session:
      action.subject = any_handle(input, state.sessions);
      break;
    case Names::Nothing:
      break;
  }
  action.object = any_handle(input, state.domains);
  action.pages = any_pages(input);
  action.device = input.below(3);
  return action;
}

// What the kernel, or a process that lets go, can truly do to a session now.
bool session_event(Input& input, const World<Limits>& world, Move& move) {
  const std::uint32_t index = input.below(Limits::kSessions);
  const SessionRow& session = world.state.sessions[index];
  const std::uint32_t holders = world.holders[index];
  const std::uint32_t choice = input.below(8);
  const Status status = choice < 6 ? Status::Ok : Status::NoMemory;
  move = {.action = {.status = status, .subject = handle_at(world.state.sessions, index)}};
  if ((holders & kMaking) != 0) {
    move.action.kind = Action::Kind::RegionMade;
  } else if ((holders & kSealing) != 0) {
    move.action.kind = Action::Kind::RegionSealed;
  } else if (session.used() && session.state == SessionState::Draining && holders == 0) {
    move.action.kind = Action::Kind::Proven;
  } else {
    move.lets_go = choice % 2 == 0 ? kDriver : kClient;
    return session.used() && (holders & move.lets_go) != 0;
  }
  return true;
}

bool next_move(Input& input, const World<Limits>& world, Move& move) {
  constexpr auto kRequests = static_cast<std::uint32_t>(Action::Kind::SealSystem) + 1;
  const std::uint32_t choice = input.below(kRequests + 6);
  if (choice < kRequests) {
    // The seal ends most of what could happen: rarely.
    const auto kind = static_cast<Action::Kind>(choice);
    if (kind == Action::Kind::SealSystem && input.below(16) != 0) return false;
    move = {.action = message(input, world.state, kind)};
    return true;
  }
  if (choice == kRequests) {
    move = {.action = {.kind = Action::Kind::Tick, .elapsed_ms = input.below(6)}};
    return true;
  }
  if (choice == kRequests + 1) {
    const Handle domain = handle_at(world.state.domains, 1 + input.below(Limits::kDomains - 1));
    move = {.action = {.kind = Action::Kind::DomainDied, .subject = domain}};
    return true;
  }
  return session_event(input, world, move);
}

void must(World<Limits>& world, const Move& move, Effects<Limits>& effects) {
  const World<Limits> before = world;
  (void)advance(world, move, kStep, effects);
  const Violations violations = judge(before, move, world, effects);
  require(violations.none(), to_string(violations).c_str());
}

// A driver and a client of the root, with a grant: where things begin to happen.
void set_up(World<Limits>& world, Effects<Limits>& effects) {
  const Handle root = root_handle(world.state);
  for (int i = 0; i < 2; ++i) {
    must(world, {.action = {.kind = Action::Kind::CreateDomain, .actor = root, .pages = 16}},
         effects);
  }
  must(world,
       {.action = {.kind = Action::Kind::GrantDevice,
                   .actor = root,
                   .subject = handle_at(world.state.domains, 2),
                   .object = handle_at(world.state.domains, 1)}},
       effects);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  World<Limits> world;
  world.state = initial_state<Limits>(kBudget, 3, 4);
  Effects<Limits> effects;
  set_up(world, effects);
  while (!input.empty()) {
    Move move;
    if (next_move(input, world, move)) must(world, move, effects);
  }
  require(walk_home(world, kStep, effects).arrived, "there is a way home for every page");
  return 0;
}
