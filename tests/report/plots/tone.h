// SPDX-License-Identifier: Apache-2.0
// What a mark's colour says. The style sheet has the colours: they differ in lightness as well as
// in hue, and each mark has its name beside it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace cede::report {

enum class Tone : std::uint8_t { Cede, CedeToo, Floor, Peer, PeerToo, PeerThree, PeerFour };

// A class of the style sheet.
[[nodiscard]] constexpr std::string_view to_class(Tone tone) {
  constexpr std::array<std::string_view, 7> kClasses = {"t-cede",  "t-cede2", "t-floor", "t-peer",
                                                        "t-peer2", "t-peer3", "t-peer4"};
  return kClasses.at(static_cast<std::size_t>(tone));
}

}  // namespace cede::report
