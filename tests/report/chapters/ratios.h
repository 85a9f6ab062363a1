// SPDX-License-Identifier: Apache-2.0
// What chapters of workloads on systems have in common.
#pragma once

#include <boost/json/fwd.hpp>
#include <string>
#include <vector>

#include "tests/report/content.h"

namespace cede::report {

// "AMD EPYC, 2 cores, Linux 6.1": text, or an object's values.
[[nodiscard]] std::string machine_of(const boost::json::value& results);
// "3 samples of 1 s each, interleaved; ..."
[[nodiscard]] std::string sampling_of(const boost::json::value& results);

// A "ratios" member, {over, under, median, min, max}, as a group of dots called `name`.
[[nodiscard]] BarGroup ratio_group(const boost::json::value& workload, std::string name);
// Dots around 1.
[[nodiscard]] Bars ratio_plot(std::vector<BarGroup> groups);
// "goal 0.7" and whether it was met.
[[nodiscard]] Headline ratio_headline(std::string name, double ratio, double goal, bool met);

// True for the groups that have bars with a value, which are all that is left of them.
[[nodiscard]] bool keep_measured(std::vector<BarGroup>& groups);

}  // namespace cede::report
