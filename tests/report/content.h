// SPDX-License-Identifier: Apache-2.0
// What a report says, before it is a page, a terminal's text or JSON: chapters of sections of
// exhibits.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "tests/report/plots/bars.h"
#include "tests/report/plots/lines.h"
#include "tests/report/plots/matrix.h"
#include "tests/report/plots/table.h"

namespace cede::report {

struct Exhibit {
  std::string title;
  std::variant<Bars, Lines, Matrix, Table> what;
};

struct Section {
  std::string title;  // may be empty
  std::vector<std::string> paragraphs;
  std::vector<Exhibit> exhibits;
  std::string id;       // to be linked to; may be empty
  bool folded = false;  // shown on demand
};

enum class Judgement : std::uint8_t { None, Good, Bad };

// One line of the summary: "disk, library / raw io_uring: 1.31x, goal 0.7".
struct Headline {
  std::string name;
  std::string value;
  std::string note;
  Judgement judgement = Judgement::None;
};

struct Chapter {
  std::string machine;  // that it was measured on, as the results call it; may be empty
  std::vector<Headline> headlines;
  std::vector<std::string> comparable;  // what compares with what, and what does not
  std::vector<Section> sections;
};

}  // namespace cede::report
