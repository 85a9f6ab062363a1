// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/attack.h"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <tuple>

namespace cede::attack {
namespace {

std::vector<Attack>& entries() {
  static std::vector<Attack> all;
  return all;
}

}  // namespace

Entry::Entry(const Attack& attack) {
  std::vector<Attack>& all = entries();
  const auto place = std::ranges::upper_bound(
      all, std::tie(attack.family, attack.name), {},
      [](const Attack& other) { return std::tie(other.family, other.name); });
  all.insert(place, attack);
}

const std::vector<Attack>& catalogue() {
  return entries();
}

const Attack& find_attack(std::string_view name) {
  const auto found = std::ranges::find(entries(), name, &Attack::name);
  if (found != entries().end()) return *found;
  throw std::runtime_error("there is no attack '" + std::string(name) + "'; see: cede attack list");
}

}  // namespace cede::attack
