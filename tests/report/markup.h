// SPDX-License-Identifier: Apache-2.0
// Elements of a document that is HTML and well-formed XML at once. What they are given is escaped
// here and nowhere else: no text of anybody's becomes markup.
#pragma once

#include <string>
#include <string_view>

namespace cede::report {

class Element {
 public:
  // `tag` is one of ours; everything else may be anybody's.
  explicit Element(std::string_view tag, std::string_view text = {});

  // An attribute; names are ours. Once for each name.
  Element& set(std::string_view name, std::string_view value);
  // A coordinate: with one decimal at most.
  Element& set(std::string_view name, double value);
  // Content, one after the other.
  Element& say(std::string_view text);
  Element& add(const Element& child);

  [[nodiscard]] std::string text() const;

 private:
  std::string tag_;
  std::string attributes_;
  std::string content_;
};

}  // namespace cede::report
