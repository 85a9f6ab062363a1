// SPDX-License-Identifier: Apache-2.0
// What all drawings have in common. A drawing is as wide as a phone's screen, in units of a pixel
// there, and grows a little where there is room: wide screens have several beside each other.
#pragma once

#include <string_view>

#include "tests/report/markup.h"

namespace cede::report {

inline constexpr double kWidth = 360;
inline constexpr double kRight = kWidth - 2;
inline constexpr double kLetter = 6.6;  // how wide one is at most, about, in a label

// An <svg> that can be focused, with a name and a description for those who do not see it.
[[nodiscard]] Element drawing(double height, std::string_view title, std::string_view description);

// `anchor`: start, middle or end.
[[nodiscard]] Element label(double x, double y, std::string_view anchor, std::string_view kind,
                            std::string_view text);
[[nodiscard]] Element line(double x1, double y1, double x2, double y2, std::string_view kind);

// How many letters text has on the screen.
[[nodiscard]] double letters(std::string_view text);

}  // namespace cede::report
