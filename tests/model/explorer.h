// SPDX-License-Identifier: Apache-2.0
// Breadth first through every world that can be reached, so the first violation found is one of
// those with the shortest way to it.
//
// A world that was seen is kept as a 128-bit fingerprint, its parent, and the place of the move
// that led to it; whole worlds are kept for the current level only. Ways are replayed.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "tests/model/homeward.h"
#include "tests/model/moves.h"
#include "tests/model/world.h"

namespace cede::broker::model {

struct Fingerprint {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  friend bool operator==(const Fingerprint&, const Fingerprint&) = default;
};

// Two independent multiply-and-fold hashes. With ten million worlds the chance that any two share a
// fingerprint is below 10^-24.
template <class Limits>
[[nodiscard]] Fingerprint fingerprint_of(const World<Limits>& world) {
  static_assert(std::has_unique_object_representations_v<World<Limits>>);
  std::array<std::uint64_t, (sizeof(World<Limits>) + 7) / 8> words{};
  std::memcpy(words.data(), &world, sizeof world);
  const auto fold = [](std::uint64_t hash, std::uint64_t word, std::uint64_t factor) {
    __extension__ using Wide = unsigned __int128;
    const Wide product = static_cast<Wide>((hash ^ word) + 0x9e3779b97f4a7c15U) * factor;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64U);
  };
  Fingerprint print{0x243f6a8885a308d3U, 0x13198a2e03707344U};
  for (const std::uint64_t word : words) {
    print.low = fold(print.low, word, 0xd6e8feb86659fd93U);
    print.high = fold(print.high, word, 0xa0761d6478bd642fU);
  }
  return print;
}

// Fingerprints in the order of their discovery, each findable.
class Seen {
 public:
  // True if it is new.
  bool insert(Fingerprint print) {
    if ((prints_.size() + 1) * 2 > slots_.size()) grow();
    std::uint32_t& slot = slots_[place(print)];
    if (slot != kEmpty) return false;
    slot = static_cast<std::uint32_t>(prints_.size());
    prints_.push_back(print);
    return true;
  }
  [[nodiscard]] std::size_t size() const { return prints_.size(); }

 private:
  static constexpr std::uint32_t kEmpty = 0xffffffff;

  [[nodiscard]] std::size_t place(Fingerprint print) const {
    std::size_t at = print.low & (slots_.size() - 1);
    while (slots_[at] != kEmpty && prints_[slots_[at]] != print)
      at = (at + 1) & (slots_.size() - 1);
    return at;
  }
  void grow() {
    slots_.assign(std::max<std::size_t>(slots_.size() * 2, 1024), kEmpty);
    for (std::uint32_t index = 0; index < prints_.size(); ++index) {
      slots_[place(prints_[index])] = index;
    }
  }

  std::vector<Fingerprint> prints_;
  std::vector<std::uint32_t> slots_;
};

template <class Limits>
struct Setup {
  std::string_view name;
  World<Limits> start;
  Alphabet alphabet;
  std::vector<std::string_view> domain_names;  // by row
};

struct Exploration {
  std::size_t states = 0;
  std::size_t transitions = 0;  // moves tried, those that change nothing included
  std::size_t levels = 0;
  std::size_t most_effects = 0;
  std::size_t longest_way_home = 0;
  Violations violations;          // none, or those of the last move of `trace`
  std::vector<Move> trace;        // from the start
  std::size_t homeward_from = 0;  // from this move of the trace on, everybody but drivers helps
};

template <class Limits>
class Explorer {
 public:
  Explorer(const Setup<Limits>& setup, StepFunction<Limits> step) : setup_(setup), step_(step) {}

  // Until there is nothing new, or something is broken.
  [[nodiscard]] Exploration run() {
    World<Limits> start = setup_.start;
    canonicalise(start);
    std::vector<World<Limits>> level{start};
    std::vector<World<Limits>> next;
    std::uint32_t first = 0;  // the number of the first world of this level
    seen_.insert(fingerprint_of(start));
    origins_.push_back({});
    while (!level.empty() && result_.violations.none()) {
      ++result_.levels;
      next.clear();
      for (std::size_t i = 0; i < level.size() && result_.violations.none(); ++i) {
        expand(level[i], first + static_cast<std::uint32_t>(i), next);
      }
      first += static_cast<std::uint32_t>(level.size());
      level.swap(next);
    }
    result_.states = seen_.size();
    return result_;
  }

 private:
  struct Origin {
    std::uint32_t parent = 0;
    std::uint32_t move = 0;
  };

  void expand(const World<Limits>& world, std::uint32_t number, std::vector<World<Limits>>& next) {
    const Homeward walk = walk_home(world, step_, effects_);
    result_.longest_way_home = std::max(result_.longest_way_home, walk.moves.size());
    if (!walk.arrived) return report_lost(number, walk);

    std::uint32_t place = 0;
    World<Limits> after = world;
    for_each_move(world, setup_.alphabet, [&](const Move& move) {
      const std::uint32_t this_place = place++;
      if (result_.violations.any()) return;
      ++result_.transitions;
      advance(after, move, step_, effects_);
      if (effects_.size() == 0 && after == world) return;
      result_.violations = judge(world, move, after, effects_);
      result_.most_effects = std::max(result_.most_effects, effects_.size());
      if (result_.violations.any()) {
        result_.trace = way_to(number);
        result_.trace.push_back(move);
        result_.homeward_from = result_.trace.size();
        return;
      }
      canonicalise(after);
      if (seen_.insert(fingerprint_of(after))) {
        origins_.push_back({number, this_place});
        next.push_back(after);
      }
      after = world;
    });
  }

  void report_lost(std::uint32_t number, const Homeward& walk) {
    result_.violations.set(static_cast<std::size_t>(Invariant::BoundedReturn));
    result_.trace = way_to(number);
    result_.homeward_from = result_.trace.size();
    result_.trace.insert(result_.trace.end(), walk.moves.begin(), walk.moves.end());
  }

  [[nodiscard]] std::vector<Move> way_to(std::uint32_t number) const {
    std::vector<std::uint32_t> places;
    for (; number != 0; number = origins_[number].parent) places.push_back(origins_[number].move);
    std::reverse(places.begin(), places.end());
    World<Limits> world = setup_.start;
    canonicalise(world);
    Effects<Limits> effects;
    std::vector<Move> moves;
    for (const std::uint32_t wanted : places) {
      std::uint32_t place = 0;
      Move taken;
      for_each_move(world, setup_.alphabet, [&](const Move& move) {
        if (place++ == wanted) taken = move;
      });
      moves.push_back(taken);
      advance(world, taken, step_, effects);
      canonicalise(world);
    }
    return moves;
  }

  const Setup<Limits>& setup_;
  StepFunction<Limits> step_;
  Seen seen_;
  std::vector<Origin> origins_;
  Effects<Limits> effects_;
  Exploration result_;
};

}  // namespace cede::broker::model
