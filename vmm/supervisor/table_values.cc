// SPDX-License-Identifier: Apache-2.0
#include "vmm/supervisor/table_values.h"

namespace cede::supervisor {
namespace {

constexpr std::uint64_t kMaxCpuWeight = 10'000;  // as the kernel's cpu.weight
constexpr std::uint64_t kMaxCpuLimit = 100'000;  // all of a thousand processors

}  // namespace

Field<std::string> interface_name(TableReader& reader, std::string_view key) {
  Field<std::string> field = reader.text(key, "");
  if (reader.has(key) && !valid_interface_name(*field)) {
    reader.problem(field.at, fmt::format("'{}' is not the name of an interface", *field),
                   "use 1 to 15 letters, digits, '-', '_' and '.', beginning with a letter or "
                   "digit");
  }
  return field;
}

Field<std::optional<InterfaceAddress>> interface_address(TableReader& reader) {
  return parsed<InterfaceAddress>(reader, "address", parse_interface_address,
                                  "an IPv4 address and a network's length",
                                  "write address = \"10.77.0.1/24\" or the like");
}

CpuShare read_cpu_share(TableReader& reader, std::uint64_t default_weight) {
  CpuShare share;
  share.weight = reader.number("cpu_weight", default_weight, {1, kMaxCpuWeight});
  share.limit = reader.number("cpu_limit", 0, {0, kMaxCpuLimit});
  share.described = reader.has("cpu_weight") || reader.has("cpu_limit");
  return share;
}

Vm read_vm(TableReader& reader, const std::filesystem::path& base) {
  Vm vm;
  vm.kernel = reader.path("kernel", base);
  vm.initrd = reader.path("initrd", base);
  vm.memory = reader.size("memory", "256M");
  vm.cpus = reader.number("cpus", 1, {1, 255});
  return vm;
}

}  // namespace cede::supervisor
