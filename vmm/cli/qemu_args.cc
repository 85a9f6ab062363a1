// SPDX-License-Identifier: Apache-2.0
// cede qemu-args: how to attach a VM of one's own.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <memory>

#include "vmm/cli/command.h"
#include "vmm/supervisor/control_client.h"
#include "vmm/supervisor/launch_plan.h"

namespace cede::cli {
namespace {

namespace json = boost::json;

// `words` are [NAME] CLIENT.
int run(const std::vector<std::string>& words) {
  const std::string name = choose_system(words.size() == 2 ? words.front() : "");
  const json::object response =
      supervisor::ControlClient(name).ask({{"op", "qemu-args"}, {"client", words.back()}});
  std::vector<std::string> arguments{"qemu-system-x86_64"};
  for (const json::value& argument : response.at("arguments").as_array()) {
    arguments.emplace_back(argument.as_string());
  }
  fmt::print("{}\n", supervisor::shell_line(arguments));
  return kOk;
}

}  // namespace

void add_qemu_args(CLI::App& app, int& exit_code) {
  auto words = std::make_shared<std::vector<std::string>>();
  CLI::App* command = app.add_subcommand(
      "qemu-args", "Print a stock QEMU command line that attaches a client's devices");
  command->add_option("NAMES", *words, "[NAME] CLIENT, as in the description")
      ->required()
      ->expected(1, 2);
  command->footer(
      "Add your own options: the guest's disk or kernel, -accel kvm, a console. To change the\n"
      "memory's size, change it in both places.\n"
      "Example: $(cede qemu-args demo alice) -accel kvm -drive file=os.qcow2,if=virtio");
  command->callback([words, &exit_code] { exit_code = run(*words); });
}

}  // namespace cede::cli
