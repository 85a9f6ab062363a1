// SPDX-License-Identifier: Apache-2.0
// The report for a terminal: its headlines.
#include <fmt/format.h>

#include <algorithm>

#include "tests/report/plots/frame.h"
#include "tests/report/report.h"

namespace cede::report {
namespace {

// `text` and as many blanks as it is narrower than `width`.
std::string padded(std::string text, double width) {
  const double missing = std::max(0.0, width - letters(text));
  text.append(static_cast<std::size_t>(missing), ' ');
  return text;
}

std::string_view sign_of(Judgement judgement) {
  switch (judgement) {
    case Judgement::Good:
      return "+";
    case Judgement::Bad:
      return "-";
    case Judgement::None:
      break;
  }
  return " ";
}

}  // namespace

std::string as_text(const Report& report) {
  std::string text = fmt::format("Cede {}, {}\n", report.run.version, report.run.date);
  for (const auto& [name, value] : report.run.machine) text += fmt::format("{}: {}\n", name, value);
  double widest = 0;
  for (const PartReport& part : report.parts) {
    for (const Headline& one : part.chapter.headlines) widest = std::max(widest, letters(one.name));
  }
  for (const PartReport& part : report.parts) {
    if (part.chapter.headlines.empty()) continue;
    text += fmt::format("\n{}\n", part.part.title);
    for (const Headline& one : part.chapter.headlines) {
      text += fmt::format("{} {}  {}{}{}\n", sign_of(one.judgement), padded(one.name, widest),
                          one.note.empty() ? one.value : padded(one.value, 12),
                          one.note.empty() ? "" : "  ", one.note);
    }
  }
  const std::vector<std::string> found = warnings(report);
  if (!found.empty()) text += '\n';
  for (const std::string& warning : found) text += fmt::format("! {}\n", warning);
  return text;
}

}  // namespace cede::report
