// SPDX-License-Identifier: Apache-2.0
// A way through the worlds, in words.
#pragma once

#include <string>
#include <string_view>

#include "tests/model/explorer.h"

namespace cede::broker::model {

[[nodiscard]] constexpr std::string_view name_of(Action::Kind kind) {
  constexpr std::array<std::string_view, 16> kNames = {
      "CreateDomain", "DestroyDomain", "Fund",   "GrantDevice", "RevokeGrant", "Connect",
      "Mapped",       "Refuse",        "Close",  "Release",     "SealSystem",  "DomainDied",
      "RegionMade",   "RegionSealed",  "Proven", "Tick"};
  return kNames[static_cast<std::size_t>(kind)];
}

[[nodiscard]] constexpr std::string_view name_of(Effect::Kind kind) {
  constexpr std::array<std::string_view, 11> kNames = {
      "MakeRegion", "SealRegion",    "LetGo",       "DropDomain", "TellGranted", "TellRevoked",
      "Offer",      "TellConnected", "TellClosing", "TellClosed", "Kill"};
  return kNames[static_cast<std::size_t>(kind)];
}

template <class Limits>
class Narrator {
 public:
  explicit Narrator(const Setup<Limits>& setup) : setup_(setup) {}

  [[nodiscard]] std::string tell(const Exploration& found, StepFunction<Limits> step) const {
    World<Limits> world = setup_.start;
    canonicalise(world);
    Effects<Limits> effects;
    std::string text;
    for (std::size_t i = 0; i < found.trace.size(); ++i) {
      if (i == found.homeward_from) text += "  from here everybody but the drivers helps:\n";
      const World<Limits> before = world;
      const Outcome outcome = advance(world, found.trace[i], step, effects);
      canonicalise(world);
      text += "  " + std::to_string(i + 1) + ". " + move(found.trace[i], before);
      if (found.trace[i].lets_go == 0 && is_request(found.trace[i].action.kind)) {
        text += " -> " + std::string(cede::to_string(outcome.status));
      }
      for (const Effect& effect : effects) text += "; " + told(effect);
      text += '\n';
    }
    return text + "  breaks: " + to_string(found.violations) + '\n';
  }

 private:
  [[nodiscard]] std::string domain(std::uint32_t index) const {
    if (index < setup_.domain_names.size()) return std::string(setup_.domain_names[index]);
    return "domain " + std::to_string(index);
  }

  // "session 0", or "session 0 of an earlier life", or "no session (3)".
  template <class Rows>
  [[nodiscard]] static std::string row(std::string_view what, const Rows& rows, Handle handle) {
    const std::string index = std::to_string(handle.index);
    if (handle.index >= rows.size()) return "no " + std::string(what) + " (" + index + ")";
    const bool current = invariant_detail::names_row(rows, handle);
    return std::string(what) + " " + index + (current ? "" : " of an earlier life");
  }

  [[nodiscard]] std::string subject(const Action& action, const State<Limits>& state) const {
    switch (subject_of(action.kind)) {
      case Names::Domain:
        return invariant_detail::names_row(state.domains, action.subject)
                   ? domain(action.subject.index)
                   : row("domain", state.domains, action.subject);
      case Names::Grant:
        return row("grant", state.grants, action.subject);
      case Names::Session:
        return row("session", state.sessions, action.subject);
      case Names::Nothing:
        break;
    }
    return {};
  }

  [[nodiscard]] std::string move(const Move& taken, const World<Limits>& world) const {
    const Action& action = taken.action;
    if (taken.lets_go != 0) {
      const SessionRow& session = world.state.sessions[action.subject.index];
      const Party& party = taken.lets_go == kDriver ? session.driver : session.client;
      return domain(party.domain) + " really lets go of session " +
             std::to_string(action.subject.index);
    }
    std::string text(is_request(action.kind) ? domain(action.actor.index) : "shell");
    if (is_request(action.kind) &&
        !invariant_detail::names_row(world.state.domains, action.actor)) {
      text += " of an earlier life";
    }
    text += ": " + std::string(name_of(action.kind)) + "(" + subject(action, world.state);
    if (action.kind == Action::Kind::GrantDevice) text += ", " + domain(action.object.index);
    if (action.pages != 0) text += ", " + std::to_string(action.pages) + " pages";
    if (action.status != Status::Ok) text += ", " + std::string(cede::to_string(action.status));
    return text + ")";
  }

  [[nodiscard]] std::string told(const Effect& effect) const {
    std::string text(name_of(effect.kind));
    if (effect.domain.valid()) text += " " + domain(effect.domain.index);
    return text;
  }

  const Setup<Limits>& setup_;
};

}  // namespace cede::broker::model
