// SPDX-License-Identifier: Apache-2.0
// Trials for people, as text, and for machines, as JSON.
#pragma once

#include <span>
#include <string>

#include "tests/attack/trial.h"

namespace cede::attack {

// One attack: what it is, and what became of it.
[[nodiscard]] std::string as_text(const Trial& trial);
// One line for each attack, one column for each policy.
[[nodiscard]] std::string as_matrix(std::span<const Trial> trials);
// {"machine", "attacks": [{"name", "family", "source", "role", "does", "holds", "runs": [...]}]}
[[nodiscard]] std::string as_json(std::span<const Trial> trials);
// The catalogue, with the peers that an attack is tried on, too.
[[nodiscard]] std::string as_list();

}  // namespace cede::attack
