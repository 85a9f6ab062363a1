// SPDX-License-Identifier: Apache-2.0
// Puts the attacker in the place of one domain's program, for that domain's first life.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "tests/attack/signs.h"

namespace cede::attack {

class Impostor {
 public:
  // While it is there, the supervisors that this process starts find their programs in a directory
  // of ours, where `program` is the attacker once, when `word` is among its arguments; otherwise it
  // is what it was. A program that is in the folder `weakened`, where there is one, goes before the
  // sound one of its name. Throws std::runtime_error.
  Impostor(std::string_view attack, const std::string& program, const std::string& word,
           const std::string& weakened);
  Impostor(const Impostor&) = delete;
  Impostor& operator=(const Impostor&) = delete;
  ~Impostor();

  [[nodiscard]] Signs& signs() noexcept { return signs_; }

 private:
  void link_programs(const std::string& replaced, const std::filesystem::path& weakened) const;

  Signs signs_;
  std::string libexec_;  // what CEDE_LIBEXEC was
};

}  // namespace cede::attack
