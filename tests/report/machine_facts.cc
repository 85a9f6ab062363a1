// SPDX-License-Identifier: Apache-2.0
#include "tests/report/machine_facts.h"

#include <sys/sysinfo.h>

#include <fstream>

#include "tests/bench/machine.h"
#include "tests/report/quantity.h"
#include "vmm/qemu/accelerator.h"

namespace cede::report {
namespace {

std::string distribution() {
  std::ifstream file("/etc/os-release");
  constexpr std::string_view kKey = "PRETTY_NAME=\"";
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(kKey)) return line.substr(kKey.size(), line.size() - kKey.size() - 1);
  }
  return "unknown";
}

std::string memory() {
  struct sysinfo info {};
  if (::sysinfo(&info) != 0) return "unknown";
  return quantity(static_cast<double>(info.totalram) * info.mem_unit, "B");
}

// x86's word for a machine that is virtual itself.
bool is_virtual() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("flags")) return line.find(" hypervisor") != std::string::npos;
  }
  return false;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> machine_facts() {
  return {{"Processors and kernel", bench::describe_machine()},
          {"Memory", memory()},
          {"Distribution", distribution()},
          {"Itself virtual", is_virtual() ? "yes" : "not known to be"},
          {"KVM",
           qemu::best_accelerator() == qemu::Accelerator::Kvm ? "yes" : "no: guests are emulated"}};
}

}  // namespace cede::report
