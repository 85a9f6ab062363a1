// SPDX-License-Identifier: Apache-2.0
#include "vmm/supervisor/table_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "vmm/supervisor/description.h"
#include "vmm/supervisor/size.h"

namespace cede::supervisor {

Position position_of(const toml::source_region& region) noexcept {
  return {region.begin.line, region.begin.column};
}

TableReader::TableReader(const toml::table& table, std::string title, Problems& problems)
    : table_(table),
      title_(std::move(title)),
      problems_(problems),
      at_(position_of(table.source())) {}

void TableReader::problem(Position at, std::string what, std::string remedy) {
  problems_.push_back({at, std::move(what), std::move(remedy)});
}

// The value of a key that may be there; a missing one is a problem only if it is required.
const toml::node* TableReader::find(std::string_view key, bool required, const char* kind) {
  asked_.push_back(key);
  const toml::node* node = table_.get(key);
  if (node == nullptr && required) {
    problem(at_, fmt::format("{} has no '{}'", title_, key), fmt::format("add {} = {}", key, kind));
  }
  return node;
}

Field<std::string> TableReader::text(std::string_view key, const char* fallback) {
  Field<std::string> field{fallback == nullptr ? "" : fallback, at_};
  const toml::node* node = find(key, fallback == nullptr, "\"...\"");
  if (node == nullptr) return field;
  field.at = position_of(node->source());
  if (const auto* value = node->as_string()) {
    field.value = value->get();
    if (field.value.find('\0') != std::string::npos) {
      problem(field.at, fmt::format("'{}' holds a zero byte", key), "remove it");
    }
  } else {
    problem(field.at, fmt::format("'{}' is not a text", key), "write it between double quotes");
  }
  return field;
}

Field<std::string> TableReader::name(std::string_view key) {
  const std::size_t before = problems_.size();
  Field<std::string> field = text(key);
  if (problems_.size() == before && !valid_name(field.value)) {
    problem(field.at, fmt::format("'{}' is not a name", field.value),
            "use 1 to 31 letters, digits, '-' and '_', beginning with a letter or digit");
  }
  return field;
}

Field<std::uint64_t> TableReader::size(std::string_view key, const char* fallback) {
  Field<std::uint64_t> field{0, at_};
  if (fallback != nullptr) field.value = parse_size(fallback).value_or(0);
  const toml::node* node = find(key, fallback == nullptr, "\"64M\"");
  if (node == nullptr) return field;
  field.at = position_of(node->source());
  if (const auto* number = node->as_integer(); number != nullptr && number->get() >= 0) {
    field.value = static_cast<std::uint64_t>(number->get());
    return field;
  }
  const auto* words = node->as_string();
  const auto parsed = words == nullptr ? std::nullopt : parse_size(words->get());
  if (parsed) {
    field.value = *parsed;
  } else {
    problem(field.at, fmt::format("'{}' is not a size", key),
            "write bytes as an integer, or a text such as \"512K\", \"64M\", \"2G\", \"1T\"");
  }
  return field;
}

Field<std::uint64_t> TableReader::number(std::string_view key, std::uint64_t fallback,
                                         Range range) {
  Field<std::uint64_t> field{fallback, at_};
  const toml::node* node = find(key, false, "");
  if (node == nullptr) return field;
  field.at = position_of(node->source());
  const auto* value = node->as_integer();
  if (value != nullptr && value->get() >= 0 &&
      static_cast<std::uint64_t>(value->get()) >= range.low &&
      static_cast<std::uint64_t>(value->get()) <= range.high) {
    field.value = static_cast<std::uint64_t>(value->get());
  } else {
    problem(field.at, fmt::format("'{}' is out of range", key),
            fmt::format("use an integer from {} to {}", range.low, range.high));
  }
  return field;
}

Field<std::vector<std::uint64_t>> TableReader::numbers(std::string_view key, Range range) {
  Field<std::vector<std::uint64_t>> field{{}, at_};
  const toml::node* node = find(key, false, "");
  if (node == nullptr) return field;
  field.at = position_of(node->source());
  const toml::array* array = node->as_array();
  if (array == nullptr) {
    problem(field.at, fmt::format("'{}' is not a list", key),
            fmt::format("write integers between brackets, such as {} = [10, 20]", key));
    return field;
  }
  if (array->empty()) {
    problem(field.at, fmt::format("'{}' is an empty list", key),
            fmt::format("write what it is to hold, or leave '{}' out", key));
  }
  for (const toml::node& element : *array) {
    const auto* value = element.as_integer();
    if (value != nullptr && value->get() >= 0 &&
        static_cast<std::uint64_t>(value->get()) >= range.low &&
        static_cast<std::uint64_t>(value->get()) <= range.high) {
      field.value.push_back(static_cast<std::uint64_t>(value->get()));
    } else {
      problem(position_of(element.source()), fmt::format("'{}' holds what is out of range", key),
              fmt::format("use integers from {} to {}", range.low, range.high));
    }
  }
  return field;
}

Field<bool> TableReader::flag(std::string_view key, bool fallback) {
  Field<bool> field{fallback, at_};
  const toml::node* node = find(key, false, "");
  if (node == nullptr) return field;
  field.at = position_of(node->source());
  if (const auto* value = node->as_boolean()) {
    field.value = value->get();
  } else {
    problem(field.at, fmt::format("'{}' is neither true nor false", key),
            "write true or false, without quotes");
  }
  return field;
}

Field<std::filesystem::path> TableReader::path(std::string_view key,
                                               const std::filesystem::path& base,
                                               const char* fallback) {
  const std::size_t before = problems_.size();
  const Field<std::string> field = text(key, fallback);
  if (field.value.empty()) {
    if (fallback == nullptr && problems_.size() == before) {
      problem(field.at, fmt::format("'{}' is empty", key), "write the path of a file");
    }
    return {{}, field.at};
  }
  return {(base / field.value).lexically_normal(), field.at};
}

void TableReader::tables(std::string_view key,
                         const std::function<void(const toml::table&)>& read) {
  const toml::node* node = find(key, false, "");
  if (node == nullptr) return;
  const toml::array* array = node->as_array();
  if (array == nullptr || !array->is_homogeneous(toml::node_type::table)) {
    problem(position_of(node->source()), fmt::format("'{}' is not a list of tables", key),
            fmt::format("begin each with its own [[...{}]] line", key));
    return;
  }
  for (const toml::node& element : *array) read(*element.as_table());
}

void TableReader::table(std::string_view key, const std::function<void(const toml::table&)>& read) {
  const toml::node* node = find(key, false, "");
  if (node == nullptr) return;
  if (const toml::table* inner = node->as_table()) {
    read(*inner);
  } else {
    problem(position_of(node->source()), fmt::format("'{}' is not a table", key),
            fmt::format("begin it with a [...{}] line", key));
  }
}

std::string_view TableReader::any_of(std::span<const std::string_view> keys) {
  std::string_view first;
  for (const std::string_view key : keys) {
    if (!has(key)) continue;
    asked_.push_back(key);
    if (first.empty()) first = key;
  }
  return first;
}

Position TableReader::position(std::string_view key) const {
  const toml::node* node = table_.get(key);
  return node == nullptr ? at_ : position_of(node->source());
}

void TableReader::finish() {
  for (const auto& [key, value] : table_) {
    if (std::find(asked_.begin(), asked_.end(), key.str()) != asked_.end()) continue;
    problem(position_of(key.source()), fmt::format("unknown key '{}' in {}", key.str(), title_),
            fmt::format("known here: {}", fmt::join(asked_, ", ")));
  }
}

}  // namespace cede::supervisor
