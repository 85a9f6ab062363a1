// SPDX-License-Identifier: Apache-2.0
// Every interleaving of one frontend and one backend that sleep and wake each other over a ring:
// does the shipped protocols/ring.h ever let both sleep with work left, or show a slot too early?
//
// The ring is the shipped header, compiled over model/protocols/shared_memory.h. Both sides are
// ordinary code; each is run as far as its next access to shared memory, and the explorer decides
// what happens next, breadth first, so a counterexample is of minimal length.
//
// Memory: each side has a store buffer. A store may leave it at any time and in any order, except
// that stores to one place keep theirs and a release store waits for everything before it. A full
// fence waits for an empty buffer. That is weaker than x86 (which drains in order), so what holds
// here holds there. Loads happen in program order; acquire is therefore not put to the test.
//
// usage: explorer [--deep]   explores every configuration (--deep: also those of a million states)
//                            exit 0: nothing found, 1: found
#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "protocols/ring.h"

namespace {

using cede::RingShape;
using cede::Verdict;

struct Item {
  std::uint64_t value = 0;
};

struct Config {
  std::uint32_t slots;
  std::uint32_t requests;
  bool batch;  // publish after every item, or after all that there are
};

// ---- One side's program, run up to its next access --------------------------------------------

enum class Bell : std::uint8_t { Kick, Call };

struct Access {
  enum class Kind : std::uint8_t { Load, Store, StoreRelease, Fence, Ring, Sleep, Done, Wrong };
  Kind kind = Kind::Done;
  std::uint8_t place = 0;   // memory word, or bell
  std::uint32_t value = 0;  // what is stored
};

// Words of the ring: four indices, then one for each slot.
constexpr std::size_t kIndexWords = 4;
constexpr std::size_t kMaxSlots = 2;
constexpr std::size_t kWords = kIndexWords + kMaxSlots;
alignas(64) std::byte ring_bytes[RingShape::kSlots + kMaxSlots * sizeof(Item)];

std::uint8_t word_of(const std::byte* place) {
  const auto offset = static_cast<std::size_t>(place - ring_bytes);
  if (offset >= RingShape::kSlots) {
    return static_cast<std::uint8_t>(kIndexWords + (offset - RingShape::kSlots) / sizeof(Item));
  }
  return static_cast<std::uint8_t>(offset / RingShape::kToEvent);
}

// Replays what a side has seen so far and stops it at the first access beyond that. A stopped side
// reads zeros until its loop notices.
class Run {
 public:
  explicit Run(const std::vector<std::uint32_t>& seen) : seen_(seen) {}

  [[nodiscard]] bool stopped() const { return stopped_; }
  [[nodiscard]] Access next() const { return next_; }
  std::uint32_t access(Access access) {
    if (stopped_) return 0;
    if (step_ < seen_.size()) return seen_[step_++];
    stopped_ = true;
    next_ = access;
    return 0;
  }
  void wrong() { access({Access::Kind::Wrong}); }
  void ring(Bell bell) { access({Access::Kind::Ring, static_cast<std::uint8_t>(bell)}); }
  void sleep(Bell bell) { access({Access::Kind::Sleep, static_cast<std::uint8_t>(bell)}); }

 private:
  const std::vector<std::uint32_t>& seen_;
  std::size_t step_ = 0;
  bool stopped_ = false;
  Access next_;
};

Run* running = nullptr;

// Both halves start just below 2^32, so every index wraps on the way.
constexpr std::uint32_t kStart = UINT32_MAX;

std::uint32_t request_value(std::uint32_t number) {
  return 100 + number;
}
std::uint32_t response_value(std::uint32_t request) {
  return request + 100;
}

void frontend(Run& run, const Config& config) {
  cede::FrontRing<Item, Item> ring(ring_bytes, {config.slots, sizeof(Item)}, kStart);
  std::uint32_t sent = 0;
  std::uint32_t answered = 0;
  while (!run.stopped()) {
    while (sent < config.requests && ring.free_slots() != 0) {
      ring.put({request_value(sent++)});
      if (!config.batch && ring.publish()) run.ring(Bell::Kick);
    }
    if (ring.publish()) run.ring(Bell::Kick);
    Item response;
    Verdict verdict{};
    while ((verdict = ring.take(response)) == Verdict::Ready && !run.stopped()) {
      if (response.value != response_value(request_value(answered++))) run.wrong();
    }
    if (verdict == Verdict::Broken) run.wrong();
    if (answered == config.requests) return;
    if (sent < config.requests && ring.free_slots() != 0) continue;
    verdict = ring.arm();
    if (verdict == Verdict::Broken) run.wrong();
    if (verdict == Verdict::Empty) run.sleep(Bell::Call);
  }
}

void backend(Run& run, const Config& config) {
  cede::BackRing<Item, Item> ring(ring_bytes, {config.slots, sizeof(Item)}, kStart);
  std::uint32_t taken = 0;
  while (!run.stopped()) {
    Item request;
    Verdict verdict{};
    while ((verdict = ring.take(request)) == Verdict::Ready && !run.stopped()) {
      if (request.value != request_value(taken++)) run.wrong();
      ring.put({response_value(static_cast<std::uint32_t>(request.value))});
      if (!config.batch && ring.publish()) run.ring(Bell::Call);
    }
    if (ring.publish()) run.ring(Bell::Call);
    if (verdict == Verdict::Broken) run.wrong();
    if (taken == config.requests) return;
    verdict = ring.arm();
    if (verdict == Verdict::Broken) run.wrong();
    if (verdict == Verdict::Empty) run.sleep(Bell::Kick);
  }
}

// ---- A side's positions, as a tree over what it saw --------------------------------------------

class Side {
 public:
  Side(void (*program)(Run&, const Config&), const Config& config)
      : program_(program), config_(config) {
    nodes_.push_back({next_access({}), 0, 0, {}});
  }
  [[nodiscard]] Access pending(std::uint32_t node) const { return nodes_[node].pending; }
  // Where the side is after its pending access yielded `value`.
  std::uint32_t after(std::uint32_t node, std::uint32_t value) {
    if (const auto known = nodes_[node].after.find(value); known != nodes_[node].after.end()) {
      return known->second;
    }
    std::vector<std::uint32_t> seen{value};
    for (std::uint32_t at = node; at != 0; at = nodes_[at].parent) seen.push_back(nodes_[at].value);
    std::reverse(seen.begin(), seen.end());
    const auto fresh = static_cast<std::uint32_t>(nodes_.size());
    nodes_.push_back({next_access(seen), node, value, {}});
    nodes_[node].after[value] = fresh;
    return fresh;
  }

 private:
  struct Node {
    Access pending;
    std::uint32_t parent;
    std::uint32_t value;
    std::map<std::uint32_t, std::uint32_t> after;
  };

  [[nodiscard]] Access next_access(const std::vector<std::uint32_t>& seen) const {
    Run run(seen);
    running = &run;
    program_(run, config_);
    return run.next();
  }

  void (*program_)(Run&, const Config&);
  Config config_;
  std::vector<Node> nodes_;
};

// ---- The whole machine -------------------------------------------------------------------------

struct Store {
  std::uint8_t place;
  bool release;
  std::uint32_t value;
};

struct State {
  std::array<std::uint32_t, 2> at{};  // nodes of front and back
  std::array<std::vector<Store>, 2> buffer;
  std::array<std::uint32_t, kWords> memory{};
  std::array<bool, 2> rung{};

  [[nodiscard]] std::string key() const {
    std::string key;
    const auto add = [&](std::uint32_t value) {
      key.append(reinterpret_cast<const char*>(&value), sizeof value);
    };
    for (const unsigned side : {0U, 1U}) {
      add(at[side]);
      add(static_cast<std::uint32_t>(buffer[side].size() * 2 + (rung[side] ? 1 : 0)));
      for (const Store& store : buffer[side]) {
        add(store.place | (store.release ? 256U : 0U));
        add(store.value);
      }
    }
    for (const std::uint32_t word : memory) add(word);
    return key;
  }
};

const char* word_name(std::uint8_t word) {
  static constexpr std::array kNames = {"req_prod",  "rsp_event", "rsp_prod",
                                        "req_event", "slot 0",    "slot 1"};
  return kNames.at(word);
}

class Explorer {
 public:
  explicit Explorer(const Config& config) : sides_{Side(frontend, config), Side(backend, config)} {
    State start;
    start.memory = {kStart, kStart + 1, kStart, kStart + 1};
    settle(start);
    visit(std::move(start), 0, "start");
  }

  // The first state at fault, or -1 when there is none.
  [[nodiscard]] long explore() {
    for (std::size_t i = 0; i < states_.size(); ++i) {
      if (at_fault(i)) return static_cast<long>(i);
    }
    return -1;
  }
  [[nodiscard]] std::size_t count() const { return states_.size(); }
  [[nodiscard]] const std::string& fault() const { return fault_; }
  [[nodiscard]] std::vector<std::string> path_to(std::size_t state) const {
    std::vector<std::string> steps;
    for (; state != 0; state = came_from_[state]) steps.push_back(came_by_[state]);
    std::reverse(steps.begin(), steps.end());
    return steps;
  }

 private:
  static constexpr std::array kSides = {"front", "back"};

  // Expands one state. True: it is at fault.
  bool at_fault(std::size_t index) {
    const State state = states_[index];
    bool moved = false;
    bool all_done = true;
    for (const unsigned side : {0U, 1U}) {
      for (std::size_t i = 0; i < state.buffer[side].size(); ++i) {
        if (!may_leave(state.buffer[side], i)) continue;
        State next = state;
        const Store store = state.buffer[side][i];
        next.memory[store.place] = store.value;
        next.buffer[side].erase(next.buffer[side].begin() + static_cast<long>(i));
        visit(std::move(next), index,
              std::string(kSides[side]) + "'s " + word_name(store.place) + " = " +
                  std::to_string(store.value) + " reaches memory");
        moved = true;
      }
      const Access access = sides_[side].pending(state.at[side]);
      if (access.kind == Access::Kind::Wrong) {
        fault_ = std::string(kSides[side]) + " saw what its peer never published";
        return true;
      }
      all_done = all_done && access.kind == Access::Kind::Done;
      moved = step(state, index, side, access) || moved;
    }
    if (moved || all_done) return false;
    fault_ = "lost wake-up: nobody can move and work is left";
    return true;
  }

  bool step(const State& state, std::size_t index, unsigned side, const Access& access) {
    State next = state;
    std::uint32_t value = 0;
    std::string name = kSides[side];
    switch (access.kind) {
      case Access::Kind::Load:
        value = load(state, side, access.place);
        name += std::string(" reads ") + word_name(access.place) + " = " + std::to_string(value);
        break;
      case Access::Kind::Fence:
        if (!state.buffer[side].empty()) return false;
        name += " passes its fence";
        break;
      case Access::Kind::Ring:
        next.rung[access.place] = true;
        name += " rings";
        break;
      case Access::Kind::Sleep:
        if (!state.rung[access.place]) return false;
        next.rung[access.place] = false;
        name += " wakes";
        break;
      default:
        return false;
    }
    next.at[side] = sides_[side].after(state.at[side], value);
    settle(next);
    visit(std::move(next), index, std::move(name));
    return true;
  }

  // Entering one's own store buffer is invisible to the other side: do it at once.
  void settle(State& state) {
    for (const unsigned side : {0U, 1U}) {
      for (;;) {
        const Access access = sides_[side].pending(state.at[side]);
        const bool release = access.kind == Access::Kind::StoreRelease;
        if (!release && access.kind != Access::Kind::Store) break;
        state.buffer[side].push_back({access.place, release, access.value});
        state.at[side] = sides_[side].after(state.at[side], 0);
      }
    }
  }

  static std::uint32_t load(const State& state, unsigned side, std::uint8_t place) {
    const auto& own = state.buffer[side];
    const auto latest = std::find_if(own.rbegin(), own.rend(),
                                     [&](const Store& store) { return store.place == place; });
    return latest == own.rend() ? state.memory[place] : latest->value;
  }

  static bool may_leave(const std::vector<Store>& buffer, std::size_t i) {
    if (buffer[i].release) return i == 0;
    return std::none_of(buffer.begin(), buffer.begin() + static_cast<long>(i),
                        [&](const Store& earlier) { return earlier.place == buffer[i].place; });
  }

  void visit(State state, std::size_t from, std::string by) {
    if (!known_.try_emplace(state.key(), states_.size()).second) return;
    states_.push_back(std::move(state));
    came_from_.push_back(from);
    came_by_.push_back(std::move(by));
  }

  std::array<Side, 2> sides_;
  std::unordered_map<std::string, std::size_t> known_;
  std::vector<State> states_;
  std::vector<std::size_t> came_from_;
  std::vector<std::string> came_by_;
  std::string fault_;
};

}  // namespace

namespace cede::model {

std::uint32_t load(const std::byte* place) noexcept {
  return running->access({Access::Kind::Load, word_of(place)});
}
void store(const std::byte* place, std::uint32_t value, bool release) noexcept {
  const auto kind = release ? Access::Kind::StoreRelease : Access::Kind::Store;
  running->access({kind, word_of(place), value});
}
void fence() noexcept {
  running->access({Access::Kind::Fence});
}

}  // namespace cede::model

int main(int argc, char** argv) {
  std::vector<Config> configs = {
      {1, 1, false}, {1, 2, false}, {2, 2, false}, {2, 2, true}, {2, 3, true}};
  if (argc == 2 && std::string_view(argv[1]) == "--deep") configs.push_back({2, 3, false});
  for (const Config& config : configs) {
    Explorer explorer(config);
    const long fault = explorer.explore();
    std::printf("%u slot(s), %u request(s), published %s: %zu states, %s\n", config.slots,
                config.requests, config.batch ? "together" : "one by one", explorer.count(),
                fault < 0 ? "every one good" : explorer.fault().c_str());
    if (fault < 0) continue;
    for (const std::string& step : explorer.path_to(static_cast<std::size_t>(fault))) {
      std::printf("  %s\n", step.c_str());
    }
    return 1;
  }
  return 0;
}
