// SPDX-License-Identifier: Apache-2.0
// Values that more than one kind of table has. Private to the readers of descriptions.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "vmm/supervisor/description.h"
#include "vmm/supervisor/table_reader.h"

namespace cede::supervisor {

// Of an interface, or empty where the key is missing.
[[nodiscard]] Field<std::string> interface_name(TableReader& reader, std::string_view key);

// A text that `parse` makes something of, or nothing where the key is missing.
template <class T>
Field<std::optional<T>> parsed(TableReader& reader, std::string_view key,
                               std::optional<T> (*parse)(std::string_view), const char* what,
                               const char* remedy) {
  const Field<std::string> text = reader.text(key, "");
  Field<std::optional<T>> field{{}, text.at};
  if (!reader.has(key)) return field;
  field.value = parse(*text);
  if (!field.value) reader.problem(text.at, fmt::format("'{}' is not {}", *text, what), remedy);
  return field;
}

// The key "address".
[[nodiscard]] Field<std::optional<InterfaceAddress>> interface_address(TableReader& reader);

// The keys "cpu_weight" and "cpu_limit".
[[nodiscard]] CpuShare read_cpu_share(TableReader& reader, std::uint64_t default_weight);

// What all machines have, of a table that has more.
[[nodiscard]] Vm read_vm(TableReader& reader, const std::filesystem::path& base);

}  // namespace cede::supervisor
