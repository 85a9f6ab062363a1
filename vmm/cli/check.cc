// SPDX-License-Identifier: Apache-2.0
// cede check: finds every mistake in a description.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/json.hpp>
#include <memory>

#include "vmm/cli/command.h"
#include "vmm/cli/description_errors.h"
#include "vmm/supervisor/checks.h"
#include "vmm/supervisor/disk.h"
#include "vmm/supervisor/driver_vm_checks.h"
#include "vmm/supervisor/interfaces.h"
#include "vmm/supervisor/runtime_dir.h"

namespace cede::cli {
namespace {

namespace json = boost::json;

json::array to_json(const std::string& file, const supervisor::Problems& problems) {
  json::array list;
  for (const supervisor::Problem& problem : problems) {
    list.push_back(json::object{{"file", file},
                                {"line", problem.at.line},
                                {"column", problem.at.column},
                                {"what", problem.what},
                                {"remedy", problem.remedy}});
  }
  return list;
}

int run(const std::string& file, bool as_json) {
  supervisor::Problems problems;
  supervisor::Problems warnings;
  const supervisor::System system = supervisor::load_system(file, problems);
  if (problems.empty()) supervisor::check_system(system, problems, warnings);
  // A running system holds the locks of its own disks, and has made its own TAPs.
  const bool runs = problems.empty() && supervisor::is_running(*system.name);
  if (problems.empty() && !runs) {
    (void)supervisor::open_disks(system, problems);
    supervisor::check_interfaces(system, problems);
    supervisor::check_driver_vms(system, problems);
  }
  if (as_json) {
    fmt::print("{}\n", json::serialize(json::object{{"ok", problems.empty()},
                                                    {"problems", to_json(file, problems)},
                                                    {"warnings", to_json(file, warnings)}}));
    return problems.empty() ? kOk : kUsage;
  }
  print_problems(file, warnings);
  if (!problems.empty()) {
    print_problems(file, problems);
  } else {
    fmt::print("{}: '{}' is sound: {} driver(s), {} client(s){}\n", file, *system.name,
               system.drivers.size(), system.clients.size(),
               runs ? "; it runs, so its disks and interfaces were not looked at" : "");
    for (const supervisor::Client& client : system.clients) {
      if (std::none_of(client.devices.begin(), client.devices.end(),
                       [](const auto& device) { return device.has_socket(); })) {
        continue;
      }
      fmt::print("  once it is up, attach a VM of your own with: cede qemu-args {} {}\n",
                 *system.name, *client.name);
    }
  }
  return problems.empty() ? kOk : kUsage;
}

}  // namespace

void add_check(CLI::App& app, int& exit_code) {
  struct Options {
    std::string file;
    bool as_json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("check", "Find every mistake in a description, with line and column");
  command->add_option("FILE", options->file, "The system description, in TOML")->required();
  command->add_flag("--json", options->as_json, "One JSON object: ok, and a list of problems");
  command->footer("Starts nothing. Example: cede check docs/examples/two-guests.toml");
  command->callback([options, &exit_code] { exit_code = run(options->file, options->as_json); });
}

}  // namespace cede::cli
