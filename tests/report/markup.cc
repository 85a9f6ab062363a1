// SPDX-License-Identifier: Apache-2.0
#include "tests/report/markup.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace cede::report {
namespace {

// HTML knows these without an end, and all others with one even where they are empty.
constexpr std::array<std::string_view, 3> kVoid = {"br", "hr", "meta"};

// '>' and quotes may stay, which lets a style sheet be an element's text as it is; the quotes of an
// attribute may not.
std::string escaped(std::string_view text) {
  std::string safe;
  safe.reserve(text.size());
  for (const char letter : text) {
    switch (letter) {
      case '&':
        safe += "&amp;";
        break;
      case '<':
        safe += "&lt;";
        break;
      case '\t':
      case '\n':
        safe += letter;
        break;
      default:
        // XML has no other control characters at all.
        safe += static_cast<unsigned char>(letter) < ' ' ? '?' : letter;
    }
  }
  return safe;
}

std::string escaped_attribute(std::string_view text) {
  std::string safe;
  for (const char letter : escaped(text)) {
    if (letter == '"') {
      safe += "&quot;";
    } else {
      safe += letter;
    }
  }
  return safe;
}

}  // namespace

Element::Element(std::string_view tag, std::string_view text) : tag_(tag) {
  say(text);
}

Element& Element::set(std::string_view name, std::string_view value) {
  attributes_ += fmt::format(" {}=\"{}\"", name, escaped_attribute(value));
  return *this;
}

Element& Element::set(std::string_view name, double value) {
  return set(name, fmt::format("{}", std::round(value * 10) / 10));
}

Element& Element::say(std::string_view text) {
  content_ += escaped(text);
  return *this;
}

Element& Element::add(const Element& child) {
  content_ += child.text();
  return *this;
}

std::string Element::text() const {
  if (std::ranges::count(kVoid, tag_) != 0) return fmt::format("<{}{} />\n", tag_, attributes_);
  return fmt::format("<{0}{1}>{2}</{0}>\n", tag_, attributes_, content_);
}

}  // namespace cede::report
