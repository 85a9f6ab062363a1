// SPDX-License-Identifier: Apache-2.0
// The parts of a report, in its order: who measures each, and who reads the results. A new part is
// a line here and a reader in chapters/.
#pragma once

#include <boost/json/fwd.hpp>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tests/report/content.h"

namespace cede::report {

struct Part {
  enum class Images : std::uint8_t { Useless, Useful, Needed };

  std::string_view name;  // its results are NAME.json
  std::string_view title;
  std::string_view about;           // one sentence
  std::string_view program;         // that measures it
  std::string_view build_folder;    // of the program, in a build tree
  std::string_view command;         // of the program
  Images images = Images::Useless;  // of driver VMs
  Chapter (*read)(const boost::json::value& results) = nullptr;
};

[[nodiscard]] std::span<const Part> all_parts();
// Those with one of these names, all where there is none. Throws std::runtime_error where a name
// is no part's.
[[nodiscard]] std::vector<Part> chosen_parts(std::span<const std::string> names);

}  // namespace cede::report
