// SPDX-License-Identifier: Apache-2.0
// cede restart: a driver's next life, while its clients wait.
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

// A driver has ten seconds to let go before it is killed, and a client fifteen.
constexpr std::chrono::seconds kPatience{60};
constexpr std::chrono::milliseconds kPoll{20};

struct Options {
  std::vector<std::string> words;  // [NAME] DRIVER
  bool json = false;
};

json::object look(supervisor::ControlClient& control, const std::string& driver) {
  const json::object ledger = control.ask({{"op", "ls"}});
  for (const json::value& value : ledger.at("domains").as_array()) {
    const json::object& domain = value.as_object();
    if (std::string_view(domain.at("name").as_string()) != driver) continue;
    if (domain.contains("restart")) return domain;
    throw std::runtime_error(fmt::format(
        "the supervisor died meanwhile; whether '{}' has begun anew, its lives tell: cede ls",
        driver));
  }
  throw std::runtime_error(fmt::format("there is no driver '{}' any more", driver));
}

json::object wait_until_over(supervisor::ControlClient& control, const std::string& driver) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (true) {
    json::object domain = look(control, driver);
    if (!domain.at("restart").at("under_way").as_bool()) return domain;
    if (std::chrono::steady_clock::now() >= deadline) {
      throw std::runtime_error(fmt::format(
          "'{}' is {}, and not all of its sessions have come back after {} s; see: cede ls", driver,
          std::string_view(domain.at("state").as_string()), kPatience.count()));
    }
    std::this_thread::sleep_for(kPoll);
  }
}

std::string in_words(const std::string& driver, const json::object& domain) {
  const json::object& restart = domain.at("restart").as_object();
  const std::string_view drain = restart.at("drain").as_string();
  const std::string_view flaw = drain == "overran" ? " did not let go in time, was killed, and"
                                : drain == "died"  ? " ended before it had let go, and"
                                                   : "";
  const auto sessions = restart.at("sessions").to_number<std::uint64_t>();
  return fmt::format("{}{} runs again as process {}: {} session{} back after {:.0f} ms", driver,
                     flaw, domain.at("pid").to_number<std::int64_t>(), sessions,
                     sessions == 1 ? " is" : "s are", restart.at("pause_ms").to_number<double>());
}

int run(const Options& options) {
  const std::string name = choose_system(options.words.size() == 2 ? options.words.front() : "");
  const std::string& driver = options.words.back();
  supervisor::ControlClient control(name);
  (void)control.ask({{"op", "restart"}, {"driver", driver}});
  const json::object domain = wait_until_over(control, driver);
  if (options.json) {
    json::object line{{"name", name},
                      {"driver", driver},
                      {"pid", domain.at("pid")},
                      {"lives", domain.at("lives")}};
    for (const char* key : {"drain", "sessions", "pause_ms"}) {
      line[key] = domain.at("restart").at(key);
    }
    fmt::print("{}\n", json::serialize(line));
  } else {
    fmt::print("{}\n", in_words(driver, domain));
  }
  return kOk;
}

}  // namespace

void add_restart(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("restart", "Start a driver anew; its clients wait, and no request fails");
  command->add_option("NAMES", options->words, "[NAME] DRIVER, as in the description")
      ->required()
      ->expected(1, 2);
  command->add_flag("--json", options->json, "One JSON object, for other programs");
  command->footer(
      "The driver answers what is in flight and lets go; its next life runs the program that is\n"
      "on the disk by then, and its clients resume. A driver that does not let go in time is\n"
      "killed.\n"
      "Example: cede restart demo disk0");
  command->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace cede::cli
