// SPDX-License-Identifier: Apache-2.0
// cede top: what each session does, live.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <chrono>
#include <cstdio>
#include <map>
#include <memory>
#include <thread>

#include "vmm/cli/command.h"
#include "vmm/cli/rates.h"
#include "vmm/cli/table.h"
#include "vmm/supervisor/control_client.h"

namespace cede::cli {
namespace {

namespace json = boost::json;

constexpr double kMega = 1e6;

void print_volumes(const std::vector<DeviceRates>& volumes, const std::string& per) {
  if (volumes.empty()) return;
  Table table({"SESSION", "VOLUME", "STATE", ">PAGES", ">READ" + per, ">WRITE" + per,
               ">READ MB" + per, ">WRITE MB" + per, ">P50", ">P99", ">ERRORS"});
  for (const DeviceRates& device : volumes) {
    table.add({device.session, device.volume, device.state, std::to_string(device.pages),
               short_count(device.reads_per_second), short_count(device.writes_per_second),
               short_count(device.read_bytes_per_second / kMega),
               short_count(device.write_bytes_per_second / kMega), short_time(device.p50_ns),
               short_time(device.p99_ns), short_count(static_cast<double>(device.errors))});
  }
  fmt::print("{}", table.text());
}

std::string drops_text(const std::map<std::string, std::uint64_t>& drops) {
  std::string text;
  for (const auto& [reason, count] : drops) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", reason,
                        short_count(static_cast<double>(count)));
  }
  return text.empty() ? "-" : text;
}

void print_ports(const Rates& rates, const std::string& per) {
  if (rates.ports.empty() && rates.uplinks.empty()) return;
  Table table({"SESSION", "PORT", "STATE", ">PAGES", ">SENT" + per, ">RECEIVED" + per,
               ">SENT MB" + per, ">RECEIVED MB" + per, "DROPPED"});
  const auto add = [&](const PortRates& port, const std::string& who, const std::string& pages) {
    table.add({who, port.port, port.state, pages, short_count(port.sent_frames_per_second),
               short_count(port.received_frames_per_second),
               short_count(port.sent_bytes_per_second / kMega),
               short_count(port.received_bytes_per_second / kMega), drops_text(port.drops)});
  };
  for (const PortRates& port : rates.ports) add(port, port.session, std::to_string(port.pages));
  for (const UplinkRates& uplink : rates.uplinks) add(uplink, "(uplink)", "-");
  fmt::print("{}", table.text());
}

void print_tables(const std::string& name, const Rates& rates, bool total) {
  const std::string per = total ? "" : "/s";
  fmt::print("{}\n", name);
  print_volumes(rates.volumes, per);
  print_ports(rates, per);
}

json::object traffic_json(const PortRates& rates) {
  return {{"state", rates.state},
          {"sent_frames_per_second", rates.sent_frames_per_second},
          {"sent_bytes_per_second", rates.sent_bytes_per_second},
          {"received_frames_per_second", rates.received_frames_per_second},
          {"received_bytes_per_second", rates.received_bytes_per_second},
          {"drops", json::value_from(rates.drops)}};
}

void print_json(const std::string& name, const Rates& rates) {
  json::array sessions;
  for (const DeviceRates& device : rates.volumes) {
    sessions.push_back(json::object{{"session", device.session},
                                    {"volume", device.volume},
                                    {"state", device.state},
                                    {"pages", device.pages},
                                    {"reads_per_second", device.reads_per_second},
                                    {"writes_per_second", device.writes_per_second},
                                    {"read_bytes_per_second", device.read_bytes_per_second},
                                    {"write_bytes_per_second", device.write_bytes_per_second},
                                    {"p50_ns", device.p50_ns},
                                    {"p99_ns", device.p99_ns},
                                    {"errors", device.errors}});
  }
  json::array ports;
  for (const PortRates& port : rates.ports) {
    json::object view = traffic_json(port);
    view["session"] = port.session;
    view["port"] = port.port;
    view["pages"] = port.pages;
    ports.push_back(std::move(view));
  }
  json::array uplinks;
  for (const UplinkRates& uplink : rates.uplinks) {
    json::object view = traffic_json(uplink);
    view["uplink"] = uplink.port;
    uplinks.push_back(std::move(view));
  }
  fmt::print("{}\n", json::serialize(json::object{{"name", name},
                                                  {"sessions", std::move(sessions)},
                                                  {"ports", std::move(ports)},
                                                  {"uplinks", std::move(uplinks)}}));
}

struct Options {
  std::string name;
  bool once = false;
  bool total = false;
  bool as_json = false;
  double interval = 1.0;
};

// Everything since each driver's start, as one interval of one second: the rates are the sums.
int run_total(const Options& options) {
  const std::string name = choose_system(options.name);
  const json::object now = supervisor::ControlClient(name).ask({{"op", "stats"}});
  const auto sums = rates_between({{"devices", json::array()}}, now, 1.0);
  options.as_json ? print_json(name, sums) : print_tables(name, sums, true);
  return kOk;
}

int run(const Options& options) {
  if (options.total) return run_total(options);
  using Clock = std::chrono::steady_clock;
  const std::string name = choose_system(options.name);
  supervisor::ControlClient control(name);
  const bool live = !options.once && !options.as_json && ::isatty(STDOUT_FILENO) == 1;
  json::object before = control.ask({{"op", "stats"}});
  Clock::time_point then = Clock::now();
  while (true) {
    std::this_thread::sleep_for(std::chrono::duration<double>(options.interval));
    json::object after = control.ask({{"op", "stats"}});
    const Clock::time_point now = Clock::now();
    const auto rates =
        rates_between(before, after, std::chrono::duration<double>(now - then).count());
    if (live) fmt::print("\033[H\033[J");  // home, and clear what was there
    if (options.as_json) {
      print_json(name, rates);
    } else {
      print_tables(name, rates, false);
    }
    std::fflush(stdout);
    if (options.once) return kOk;
    before = std::move(after);
    then = now;
  }
}

}  // namespace

void add_top(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("top", "Show what moves in each session, and what is dropped, live");
  command->add_option("NAME", options->name, "The system; may be left out while one runs");
  command->add_flag("--once", options->once, "One table over one interval, then end");
  command->add_flag("--total", options->total,
                    "One table of everything since each driver's start, then end");
  command->add_flag("--json", options->as_json, "One JSON object a line for each interval");
  command->add_option("--interval", options->interval, "Seconds between two looks")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str();
  command->footer(
      "P50 and P99 are latencies in the driver, from taking a request to answering it, exact to a\n"
      "fifth. Of a port, SENT is what came from its client, of an uplink what came in by it, and\n"
      "DROPPED counts frames by reason since the driver was started. All figures are the driver's "
      "own word. Ctrl-C ends it.\n"
      "Examples:\n"
      "  cede top\n"
      "  cede top demo --once --json");
  command->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace cede::cli
