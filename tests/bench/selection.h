// SPDX-License-Identifier: Apache-2.0
// What every benchmark's command line can do: pick by name, and write its results to a file.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace cede::bench {

[[nodiscard]] inline bool matches(std::string_view name, const std::vector<std::string>& filters) {
  return filters.empty() || std::ranges::any_of(filters, [name](const std::string& filter) {
           return name.find(filter) != std::string_view::npos;
         });
}

// The items whose names contain one of the filters. Throws where there is none.
template <class Item>
[[nodiscard]] std::vector<Item> select(std::span<const Item> items,
                                       const std::vector<std::string>& filters,
                                       std::string_view what) {
  std::vector<Item> selected;
  std::string names;
  for (const Item& item : items) {
    if (matches(item.name, filters)) selected.push_back(item);
    names += fmt::format(" {}", item.name);
  }
  if (selected.empty()) {
    throw std::runtime_error(fmt::format("no {} matches; there are:{}", what, names));
  }
  return selected;
}

// Prints tables, JSON, or both: `path` is where the JSON goes, "-" for standard output instead of
// the tables, empty for nowhere.
template <class Tables, class Json>
void print_results(const std::string& path, Tables tables, Json json) {
  if (path != "-") fmt::print("{}", tables());
  if (path.empty()) return;
  if (path == "-") {
    fmt::print("{}", json());
    return;
  }
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "w"),
                                                             std::fclose);
  if (!file || std::fputs(json().c_str(), file.get()) < 0 || std::fflush(file.get()) != 0) {
    throw std::runtime_error(
        fmt::format("cannot write {}: {}", path, std::generic_category().message(errno)));
  }
}

}  // namespace cede::bench
