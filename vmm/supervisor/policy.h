// SPDX-License-Identifier: Apache-2.0
// Whose memory the regions of a system are (docs/threat-model.md). Each policy has a broker of its
// own; all but the first exist for measurements only.
#pragma once

#include <optional>
#include <string_view>

namespace cede::supervisor {

enum class Policy {
  Donated,      // the client pays, and cannot take it back
  Revocable,    // the client pays, and can take it back: drivers have to survive that
  DriverOwned,  // the driver pays for what its clients ask for
};

// As descriptions have it. Nothing: it is none.
[[nodiscard]] inline std::optional<Policy> parse_policy(std::string_view text) noexcept {
  if (text == "donated") return Policy::Donated;
  if (text == "revocable") return Policy::Revocable;
  if (text == "driver-owned") return Policy::DriverOwned;
  return std::nullopt;
}

}  // namespace cede::supervisor
