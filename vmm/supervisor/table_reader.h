// SPDX-License-Identifier: Apache-2.0
// Strict reading of one TOML table: each value is asked for by name and type, and what was never
// asked for is reported as unknown. Private to description.cc, which alone pays for toml++.
#pragma once

#ifndef TOML_EXCEPTIONS
#define TOML_EXCEPTIONS 0
#endif
#include <toml++/toml.h>

#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vmm/supervisor/problems.h"

namespace cede::supervisor {

struct Range {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
};

class TableReader {
 public:
  // `title` is what messages call the table, such as "[[driver]]".
  TableReader(const toml::table& table, std::string title, Problems& problems);

  // Without a fallback the key must be there. On any problem the value is the fallback or empty.
  Field<std::string> text(std::string_view key, const char* fallback = nullptr);
  Field<std::string> name(std::string_view key);
  Field<std::uint64_t> size(std::string_view key, const char* fallback = nullptr);
  Field<std::uint64_t> number(std::string_view key, std::uint64_t fallback, Range range);
  // A list of one integer or more, empty by default.
  Field<std::vector<std::uint64_t>> numbers(std::string_view key, Range range);
  Field<bool> flag(std::string_view key, bool fallback);
  // Relative paths start at `base`; an empty value stays empty.
  Field<std::filesystem::path> path(std::string_view key, const std::filesystem::path& base,
                                    const char* fallback = nullptr);

  // Calls `read` for each table of the array [[...key]].
  void tables(std::string_view key, const std::function<void(const toml::table&)>& read);
  // Calls `read` if there is a table [...key].
  void table(std::string_view key, const std::function<void(const toml::table&)>& read);

  [[nodiscard]] bool has(std::string_view key) const { return table_.contains(key); }
  // The first of `keys` that is there, empty if none is. They count as asked for.
  std::string_view any_of(std::span<const std::string_view> keys);
  [[nodiscard]] Position position(std::string_view key) const;
  [[nodiscard]] Position at() const noexcept { return at_; }
  void problem(Position at, std::string what, std::string remedy);

  // Reports every key that was not asked for. Call it last.
  void finish();

 private:
  const toml::node* find(std::string_view key, bool required, const char* kind);

  const toml::table& table_;
  std::string title_;
  Problems& problems_;
  Position at_;
  std::vector<std::string_view> asked_;
};

[[nodiscard]] Position position_of(const toml::source_region& region) noexcept;

}  // namespace cede::supervisor
