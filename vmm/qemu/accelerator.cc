// SPDX-License-Identifier: Apache-2.0
#include "vmm/qemu/accelerator.h"

#include <fcntl.h>

#include <fstream>
#include <iterator>
#include <string>

#include "protocols/posix/fd.h"

namespace cede::qemu {
namespace {

// Cuts `text` at the first `separator`; returns what was before it.
std::string_view take_until(std::string_view& text, char separator) {
  const std::size_t end = text.find(separator);
  const std::string_view head = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return head;
}

}  // namespace

bool has_hardware_virtualization(std::string_view cpuinfo) {
  while (!cpuinfo.empty()) {
    std::string_view values = take_until(cpuinfo, '\n');
    const std::string_view key = take_until(values, ':');
    if (key.substr(0, key.find_last_not_of(" \t") + 1) != "flags") continue;
    while (!values.empty()) {
      const std::string_view flag = take_until(values, ' ');
      if (flag == "vmx" || flag == "svm") return true;
    }
  }
  return false;
}

Accelerator best_accelerator() {
  std::ifstream file("/proc/cpuinfo");
  const std::string cpuinfo{std::istreambuf_iterator<char>(file), {}};
  if (!has_hardware_virtualization(cpuinfo)) return Accelerator::Tcg;
  const Fd device(::open("/dev/kvm", O_RDWR | O_CLOEXEC));
  return device ? Accelerator::Kvm : Accelerator::Tcg;
}

}  // namespace cede::qemu
