// SPDX-License-Identifier: Apache-2.0
// Numbers with units, for people: three digits, and a prefix that keeps them short.
#pragma once

#include <string>
#include <string_view>

namespace cede::report {

// Units are "ns", "us", "ms" and "s" for times, which become each other; "KiB" and its like for
// memory, likewise; rates, which end with "/s" and get k, M and G; "x" for ratios; and any other,
// which is just put behind.
//   quantity(854'600, "/s") == "855 k/s"    quantity(0.0071, "ms") == "7.1 µs"
// "-" for what is no number.
[[nodiscard]] std::string quantity(double value, std::string_view unit);
// What round numbers are powers of: 4 for memory, 10 for all else.
[[nodiscard]] double base_of(std::string_view unit);

}  // namespace cede::report
