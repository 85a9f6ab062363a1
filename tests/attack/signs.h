// SPDX-License-Identifier: Apache-2.0
// The arena's ends of what ties it to its attacker, see Stage.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "protocols/posix/fd.h"
#include "tests/support/temporary_directory.h"

namespace cede::attack {

// What an attacker has said.
struct Findings {
  std::vector<std::string> refused;
  std::vector<std::string> broke;
  std::vector<std::string> notes;
  std::optional<double> cut_off_ms;
  std::optional<std::string> gave_up;
};

class Signs {
 public:
  // Makes the pipes. Throws std::runtime_error.
  Signs();

  // Where the attacker finds them.
  [[nodiscard]] const test::TemporaryDirectory& directory() const noexcept { return directory_; }
  void give();
  // All up to now.
  [[nodiscard]] const Findings& heard();

 private:
  test::TemporaryDirectory directory_;
  Fd go_;
  Fd said_;
  Findings findings_;
};

}  // namespace cede::attack
