// SPDX-License-Identifier: Apache-2.0
#include "vmm/supervisor/programs.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>

namespace cede::supervisor {
namespace fs = std::filesystem;

namespace {

fs::path find_broker(Policy policy) {
  switch (policy) {
    case Policy::Revocable:
      return find_program("cede-broker-revocable", "vmm/measurements");
    case Policy::DriverOwned:
      return find_program("cede-broker-driver-owned", "vmm/measurements");
    case Policy::Donated:
      break;
  }
  return find_program("cede-broker", "vmm/broker");
}

}  // namespace

fs::path find_program(std::string_view name, std::string_view build_folder) {
  const fs::path here = fs::read_symlink("/proc/self/exe").parent_path();
  std::vector<fs::path> places{here, here / "../libexec/cede", here / "../.." / build_folder};
  // NOLINTNEXTLINE(concurrency-mt-unsafe): read before there is any thread
  if (const char* libexec = std::getenv("CEDE_LIBEXEC"); libexec != nullptr && *libexec != '\0') {
    places = {libexec};
  }
  std::string looked;
  for (const fs::path& place : places) {
    fs::path candidate = (place / name).lexically_normal();
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
    looked += fmt::format("{}{}", looked.empty() ? "" : ", ", candidate.parent_path().string());
  }
  throw std::runtime_error(
      fmt::format("cannot find the program '{}' in {}; build it, or set CEDE_LIBEXEC to its folder",
                  name, looked));
}

Programs find_programs(Policy policy) {
  return {find_broker(policy), find_program("cede-driver", "driver_vm"),
          find_program("cede-switch", "driver_vm"), find_program("cede-frontend", "frontend"),
          find_program("cede-shim", "vmm/qemu/shim")};
}

}  // namespace cede::supervisor
