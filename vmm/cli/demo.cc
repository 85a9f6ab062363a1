// SPDX-License-Identifier: Apache-2.0
// cede demo: see vmm/cli/demo/demo.h.
#include "vmm/cli/demo/demo.h"

#include <CLI/CLI.hpp>
#include <memory>

#include "vmm/cli/command.h"

namespace cede::cli {

void add_demo(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<DemoOptions>();
  CLI::App* command = app.add_subcommand(
      "demo", "Show it all: two guests, one disk, one network, pages that come home");
  command
      ->add_option("--images", options->images,
                   "Directory with vmlinuz and initramfs.cpio.gz, made by images/build")
      ->capture_default_str();
  command
      ->add_option("--driver", options->driver,
                   "What serves the disk: a sandboxed process, or a virtual machine (images/driver "
                   "makes its driver-initramfs.cpio.gz)")
      ->check(CLI::IsMember({"process", "vm"}))
      ->capture_default_str();
  command->add_option(
      "--scratch", options->scratch,
      "Directory for the disk and the guests' logs, kept; default: a temporary one");
  command->add_flag("--keep", options->keep, "Leave the temporary directory behind");
  command->footer(
      "Needs root: domains get uids and cgroups of their own. Exits with 0 only if every claim\n"
      "that it makes on the way held.");
  command->callback([options, &exit_code] { exit_code = demo(*options); });
}

}  // namespace cede::cli
