// SPDX-License-Identifier: Apache-2.0
// cede connect, cede disconnect: a client's device, while the system runs.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <chrono>
#include <memory>
#include <thread>

#include "vmm/cli/command.h"
#include "vmm/supervisor/control_client.h"

namespace cede::cli {
namespace {

namespace json = boost::json;

// Longer than it takes to end a client, and then a driver, one of which keeps the pages.
constexpr std::chrono::seconds kPatience{60};
constexpr std::chrono::milliseconds kPoll{50};

// The state of a device, and whether some session of an ended life still holds pages.
struct Standing {
  std::string state;
  bool leaving = false;
};

Standing look(supervisor::ControlClient& control, const std::string& client,
              const std::string& device) {
  const json::object ledger = control.ask({{"op", "ls"}});
  for (const json::value& value : ledger.at("sessions").as_array()) {
    const json::object& session = value.as_object();
    if (std::string_view(session.at("client").as_string()) != client ||
        std::string_view(session.at("device").as_string()) != device) {
      continue;
    }
    return {std::string(session.at("state").as_string()), !ledger.at("leaving").as_array().empty()};
  }
  return {};
}

// `words` are [NAME] CLIENT DEVICE.
int run(const char* operation, const std::vector<std::string>& words) {
  const std::string name = choose_system(words.size() == 3 ? words.front() : "");
  const std::string& client = words[words.size() - 2];
  const std::string& device = words.back();
  const bool connects = std::string_view(operation) == "connect";
  supervisor::ControlClient control(name);
  (void)control.ask({{"op", operation}, {"client", client}, {"device", device}});
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (true) {
    const Standing standing = look(control, client, device);
    if (connects ? standing.state == "connected"
                 : standing.state == "disconnected" && !standing.leaving) {
      break;
    }
    if (std::chrono::steady_clock::now() >= deadline) {
      throw std::runtime_error(fmt::format(
          "{}/{} is still {} after {} s{}; see: cede ls {}", client, device, standing.state,
          kPatience.count(), standing.leaving ? ", and not all pages are home" : "", name));
    }
    std::this_thread::sleep_for(kPoll);
  }
  fmt::print("{}/{} is {}\n", client, device,
             connects ? "connected" : "disconnected; its pages are home");
  return kOk;
}

CLI::App* add(CLI::App& app, const char* operation, const char* about, int& exit_code) {
  auto words = std::make_shared<std::vector<std::string>>();
  CLI::App* command = app.add_subcommand(operation, about);
  command->add_option("NAMES", *words, "[NAME] CLIENT DEVICE, as in the description")
      ->required()
      ->expected(2, 3);
  command->callback([operation, words, &exit_code] { exit_code = run(operation, *words); });
  return command;
}

}  // namespace

void add_connect(CLI::App& app, int& exit_code) {
  add(app, "connect", "Connect a client's device to its volume", exit_code)
      ->footer("Example: cede connect demo alice vda");
}

void add_disconnect(CLI::App& app, int& exit_code) {
  add(app, "disconnect", "Take a client's device away; its pages go home", exit_code)
      ->footer(
          "A guest that uses the device waits until it is connected again, and resumes then. The\n"
          "client's other devices go on.\n"
          "Example: cede disconnect demo alice vda");
}

}  // namespace cede::cli
