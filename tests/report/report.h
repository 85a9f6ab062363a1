// SPDX-License-Identifier: Apache-2.0
// A report as a whole: what is there of each part, and what is not, and why.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tests/report/content.h"
#include "tests/report/parts.h"
#include "tests/report/run_record.h"

namespace cede::report {

struct PartReport {
  enum class State : std::uint8_t {
    Measured,
    Failed,      // its program did; what it has measured is shown all the same
    Unreadable,  // its results are no JSON, or nothing that is known
    Missing,
  };

  Part part;
  State state = State::Missing;
  std::string why;  // in words; empty where it was measured
  double seconds = std::numeric_limits<double>::quiet_NaN();  // that it took, where it is known
  boost::json::value results;
  Chapter chapter;
};
// "measured", "failed", "unreadable", "missing"
[[nodiscard]] std::string_view to_string(PartReport::State state);

struct Report {
  RunRecord run;
  std::vector<PartReport> parts;
  std::vector<std::string> machines;  // that results name; more than one do not compare
};

// Of the results in `directory`. A part that is not there is missing, and does not stop the others.
[[nodiscard]] Report compose(std::span<const Part> parts, const RunRecord& run,
                             const std::filesystem::path& directory);

// In the words of people; empty where there is nothing to warn of.
[[nodiscard]] std::vector<std::string> warnings(const Report& report);

[[nodiscard]] std::string as_json(const Report& report);
[[nodiscard]] std::string as_text(const Report& report);

}  // namespace cede::report
