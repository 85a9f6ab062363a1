// SPDX-License-Identifier: Apache-2.0
// What the systems that are compared are called and shown as, the same in all chapters.
#pragma once

#include <string>
#include <string_view>

#include "tests/report/plots/tone.h"

namespace cede::report {

struct SystemLook {
  std::string name;
  Tone tone = Tone::Peer;
};

// Of a system as the results call it; one that is unknown keeps its name.
[[nodiscard]] SystemLook look_of(std::string_view system);

}  // namespace cede::report
