// SPDX-License-Identifier: Apache-2.0
#include "vmm/cli/demo/host_check.h"

#include <fmt/core.h>

#include <filesystem>

#include "vmm/cli/demo/stage.h"

namespace cede::cli {
namespace {

// How e2fsprogs are told of a file system inside an image.
std::string at(const std::string& image, std::uint64_t offset) {
  return fmt::format("{}?offset={}", image, offset);
}

std::string last_line(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text.substr(text.rfind('\n') + 1);
}

}  // namespace

HostVerdict check_file_system(const std::string& image, std::uint64_t offset) {
  const ToolResult fsck = run_tool({"e2fsck", "-fn", at(image, offset)});
  return {fsck.exit_status == 0, last_line(fsck.output)};
}

HostVerdict check_files(const std::string& image, std::uint64_t offset, int files,
                        const std::string& scratch) {
  std::filesystem::create_directories(scratch);
  const auto extract = [&](const std::string& name) {
    return run_tool({"debugfs", "-R", fmt::format("dump {} {}/{}", name, scratch, name),
                     at(image, offset)})
        .exit_status;
  };
  for (int i = 1; i <= files; ++i) {
    const std::string name = fmt::format("file{}", i);
    if (extract(name) != 0) return {false, fmt::format("cannot read {} from the image", name)};
  }
  if (extract("sums") != 0) return {false, "cannot read the checksums from the image"};
  const ToolResult sums =
      run_tool({"sh", "-c", fmt::format("cd '{}' && sha256sum -c sums", scratch)});
  std::size_t good = 0;
  for (std::size_t at_ok = 0; (at_ok = sums.output.find(": OK", at_ok)) != std::string::npos;
       ++at_ok) {
    ++good;
  }
  return {sums.exit_status == 0 && good == static_cast<std::size_t>(files),
          fmt::format("{} of {} files have the checksums that the guest wrote", good, files)};
}

}  // namespace cede::cli
