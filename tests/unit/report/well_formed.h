// SPDX-License-Identifier: Apache-2.0
// A strict reader of pages: they have to be XML as well as HTML.
#pragma once

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace cede::report {

// Reads a document, and remembers all text that is no markup. Throws std::runtime_error at the
// first fault.
class WellFormed {
 public:
  explicit WellFormed(std::string_view document) : rest_(document) {
    if (rest_.starts_with("<!DOCTYPE html>")) rest_.remove_prefix(15);
    while (!rest_.empty()) {
      if (rest_.starts_with("</")) {
        close();
      } else if (rest_.front() == '<') {
        open();
      } else {
        text_ += characters("<");
      }
    }
    if (!open_.empty()) fail("is not closed: " + open_.back());
  }

  [[nodiscard]] const std::string& text() const { return text_; }
  [[nodiscard]] const std::vector<std::string>& tags() const { return tags_; }
  // Of attributes called `id`, and where `href` leads to on the page.
  [[nodiscard]] const std::vector<std::string>& ids() const { return ids_; }
  [[nodiscard]] const std::vector<std::string>& targets() const { return targets_; }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw std::runtime_error(what + ", before: " + std::string(rest_.substr(0, 60)));
  }

  void expect(std::string_view what) {
    if (!rest_.starts_with(what)) fail("no " + std::string(what));
    rest_.remove_prefix(what.size());
  }

  std::string name() {
    constexpr std::string_view kLetters =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";
    const std::string found(rest_.substr(0, rest_.find_first_not_of(kLetters)));
    if (found.empty()) fail("no name");
    rest_.remove_prefix(found.size());
    return found;
  }

  // Up to one of `ends`, with entities replaced.
  std::string characters(std::string_view ends) {
    std::string found;
    while (!rest_.empty() && ends.find(rest_.front()) == std::string_view::npos) {
      const auto byte = static_cast<unsigned char>(rest_.front());
      if (byte < ' ' && byte != '\n' && byte != '\t') fail("a control character");
      if (byte == '<') fail("a bare <");
      found += byte == '&' ? entity() : plain();
    }
    return found;
  }

  char plain() {
    const char letter = rest_.front();
    rest_.remove_prefix(1);
    return letter;
  }

  char entity() {
    constexpr std::array<std::pair<std::string_view, char>, 3> kKnown = {
        {{"&amp;", '&'}, {"&lt;", '<'}, {"&quot;", '"'}}};
    for (const auto& [name, letter] : kKnown) {
      if (!rest_.starts_with(name)) continue;
      rest_.remove_prefix(name.size());
      return letter;
    }
    fail("an unknown entity");
  }

  void open() {
    expect("<");
    const std::string tag = name();
    tags_.push_back(tag);
    std::vector<std::string> seen;
    while (rest_.starts_with(" ") && !rest_.starts_with(" />")) {
      expect(" ");
      seen.push_back(name());
      if (std::ranges::count(seen, seen.back()) != 1) fail("twice: " + seen.back());
      expect("=\"");
      const std::string value = characters("\"");
      expect("\"");
      if (seen.back() == "id") ids_.push_back(value);
      if (seen.back() == "href") targets_.push_back(value);
    }
    if (rest_.starts_with(" />")) {
      expect(" />");
    } else {
      expect(">");
      open_.push_back(tag);
    }
  }

  void close() {
    expect("</");
    const std::string tag = name();
    if (open_.empty() || open_.back() != tag) fail("closes what is not open: " + tag);
    open_.pop_back();
    expect(">");
  }

  std::string_view rest_;
  std::string text_;
  std::vector<std::string> open_;
  std::vector<std::string> tags_;
  std::vector<std::string> ids_;
  std::vector<std::string> targets_;
};

}  // namespace cede::report
