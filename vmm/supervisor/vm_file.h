// SPDX-License-Identifier: Apache-2.0
// What a VM boots from. By descriptor: its user need not be able to walk to the files.
#pragma once

#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <system_error>

#include "protocols/posix/fd.h"

namespace cede::supervisor {

// Throws std::runtime_error.
[[nodiscard]] inline Fd open_for_vm(const std::filesystem::path& path, const std::string& domain) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) {
    throw std::runtime_error(fmt::format("cannot read '{}' for the VM of '{}': {}", path.string(),
                                         domain, std::generic_category().message(errno)));
  }
  return fd;
}

// How a program that inherits it opens it again.
[[nodiscard]] inline std::string path_of(int fd) {
  return fmt::format("/proc/self/fd/{}", fd);
}

}  // namespace cede::supervisor
