// SPDX-License-Identifier: Apache-2.0
// cede ls: the ledger of a running system.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <memory>

#include "vmm/cli/command.h"
#include "vmm/cli/table.h"
#include "vmm/supervisor/control_client.h"
#include "vmm/supervisor/size.h"

namespace cede::cli {
namespace {

namespace json = boost::json;

std::string text(const json::object& object, const char* key) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr) return "-";
  return value->is_string() ? std::string(value->get_string()) : json::serialize(*value);
}

// What a session is for, on its driver.
std::string served(const json::object& session) {
  return session.contains("mac") ? text(session, "mac") : text(session, "volume");
}

// Where its client is met.
std::string endpoint(const json::object& session) {
  if (!session.contains("tap")) return text(session, "socket");
  if (!session.contains("netns")) return text(session, "tap");
  return fmt::format("{} in {}", text(session, "tap"), text(session, "netns"));
}

std::uint64_t number(const json::object& object, const char* key) {
  return object.at(key).to_number<std::uint64_t>();
}

void print_ledger(const json::object& ledger) {
  const json::object& totals = ledger.at("totals").as_object();
  const std::uint64_t budget = number(totals, "budget");
  fmt::print("{}: budget {} pages ({}){}\n\n", text(ledger, "name"), budget,
             supervisor::format_size(budget * number(ledger, "page_bytes")),
             ledger.at("static").as_bool() ? ", static: sealed" : "");

  Table domains(
      {"DOMAIN", "KIND", "STATE", ">PID", ">LIVES", ">ACCOUNT", ">ESCROW", ">IN SESSIONS"});
  for (const json::value& value : ledger.at("domains").as_array()) {
    const json::object& domain = value.as_object();
    domains.add({text(domain, "name"), text(domain, "kind"), text(domain, "state"),
                 text(domain, "pid"), text(domain, "lives"), text(domain, "account"),
                 text(domain, "escrow"), text(domain, "in_sessions")});
  }
  fmt::print("{}\n", domains.text());

  Table sessions(
      {"SESSION", "VOLUME OR PORT", "STATE", ">PAGES", ">GENERATION", "PROOF", "SOCKET OR TAP"});
  for (const json::value& value : ledger.at("sessions").as_array()) {
    const json::object& session = value.as_object();
    sessions.add({text(session, "client") + '/' + text(session, "device"),
                  text(session, "driver") + '/' + served(session), text(session, "state"),
                  text(session, "pages"), text(session, "generation"), text(session, "proof"),
                  endpoint(session)});
  }
  for (const json::value& value : ledger.at("domains").as_array()) {
    const json::object& domain = value.as_object();
    if (!domain.contains("uplink")) continue;
    sessions.add({"(uplink)", text(domain, "name") + '/' + text(domain, "uplink"),
                  text(domain, "uplink_state"), "-", "-", "-", "-"});
  }
  for (const json::value& value : ledger.at("leaving").as_array()) {
    const json::object& session = value.as_object();
    sessions.add({"(of an ended life)", "-", text(session, "state"), text(session, "pages"),
                  text(session, "generation"), "-", "-"});
  }
  fmt::print("{}\n", sessions.text());

  fmt::print("accounts {} + escrow {} + in sessions {} = {} of {} pages: {}\n",
             text(totals, "accounts"), text(totals, "escrow"), text(totals, "in_sessions"),
             text(totals, "sum"), budget,
             totals.at("balanced").as_bool() ? "balanced" : "NOT BALANCED");
}

int run(const std::string& name, bool as_json) {
  std::vector<std::string> systems{name};
  if (name.empty()) systems = running_systems();
  if (systems.empty() && !as_json) fmt::print("no system runs; start one with: cede up FILE\n");
  bool balanced = true;
  for (const std::string& system : systems) {
    const json::object ledger =
        supervisor::ControlClient(choose_system(system)).ask({{"op", "ls"}});
    balanced = balanced && ledger.at("totals").as_object().at("balanced").as_bool();
    if (as_json) {
      fmt::print("{}\n", json::serialize(ledger));
    } else {
      print_ledger(ledger);
    }
  }
  return balanced ? kOk : kFailed;
}

}  // namespace

void add_ls(CLI::App& app, int& exit_code) {
  struct Options {
    std::string name;
    bool as_json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("ls", "Show domains, sessions and pages, and whether the books balance");
  command->add_option("NAME", options->name, "The system; all that run, if left out");
  command->add_flag("--json", options->as_json, "One JSON object a line for each system");
  command->footer(
      "ACCOUNT is what a domain may still give, ESCROW what is on its way to a session, IN\n"
      "SESSIONS what it has given up. LIVES counts how often a domain was started.\n"
      "Examples:\n"
      "  cede ls\n"
      "  cede ls demo --json | jq .totals");
  command->callback([options, &exit_code] { exit_code = run(options->name, options->as_json); });
}

}  // namespace cede::cli
