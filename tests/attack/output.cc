// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/output.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "tests/bench/machine.h"

namespace cede::attack {
namespace {

namespace json = boost::json;

json::object disk_json(const bench::Sample& disk) {
  if (disk.operations == 0) return {{"iops", 0}};
  return {
      {"iops", disk.iops()}, {"p50_us", disk.percentile(0.5)}, {"p99_us", disk.percentile(0.99)}};
}

json::object network_json(const bench::NetSample& network) {
  return {{"iops", network.rate}, {"p50_us", network.p50}, {"p99_us", network.p99}};
}

template <class View>
json::object phases_json(const Trial& trial, View view) {
  return {
      {"before", view(trial.before)}, {"during", view(trial.during)}, {"after", view(trial.after)}};
}

json::object holdings_json(const Trial& trial, Holdings Phase::*whose, bool alive) {
  const auto three = [&](auto figure) {
    return json::array{figure(trial.before), figure(trial.during), figure(trial.after)};
  };
  return {{"alive", alive},
          {"rss_kib", three([&](const Phase& phase) { return (phase.*whose).memory_kib; })},
          {"cpu_share", three([&](const Phase& phase) {
             return phase.seconds > 0 ? (phase.*whose).cpu_seconds / phase.seconds : 0.0;
           })},
          {"fds", three([&](const Phase& phase) {
             return static_cast<double>((phase.*whose).descriptors);
           })}};
}

json::object run_json(const Trial& trial) {
  const auto alive = [&](std::string_view who) {
    return std::ranges::none_of(trial.failures, [who](const std::string& failure) {
      return failure == std::string(who) + " died";
    });
  };
  json::array why(trial.failures.begin(), trial.failures.end());
  json::object victim;
  if (has_disk(trial.plan.system)) {
    victim["block"] = phases_json(trial, [](const Phase& p) { return disk_json(p.victim.disk); });
  }
  if (has_network(trial.plan.system)) {
    victim["net"] =
        phases_json(trial, [](const Phase& p) { return network_json(p.victim.network); });
  }
  json::object run{
      {"system", to_string(trial.plan.system)},
      {"verdict", to_string(trial.outcome())},
      {"why", std::move(why)},
      {"victim", std::move(victim)},
      {"driver",
       holdings_json(trial, &Phase::drivers,
                     alive("disk0") && alive("net0") && alive(to_string(trial.plan.system)))},
      {"broker", holdings_json(trial, &Phase::broker, alive("broker"))},
      {"pages_unaccounted", trial.pages_unaccounted},
      {"refused", json::array(trial.findings.refused.begin(), trial.findings.refused.end())},
      {"gave_up", trial.findings.gave_up ? json::value(*trial.findings.gave_up) : nullptr},
      {"notes", json::array(trial.findings.notes.begin(), trial.findings.notes.end())},
      {"cut_off_ms", nullptr}};
  if (trial.findings.cut_off_ms) run["cut_off_ms"] = *trial.findings.cut_off_ms;
  return run;
}

std::string verdict(const Trial& trial) {
  if (trial.outcome() == Outcome::Failed) return "FAILED";
  return fmt::format("{} {:3.0f} % {:.1f}x", to_string(trial.outcome()),
                     trial.throughput_ratio() * 100,
                     std::max(trial.disk_p99_ratio(), trial.network_p99_ratio()));
}

std::string phase_line(const char* name, const Phase& phase, System system) {
  const auto figure = [](bool measured, double value) {
    return measured ? fmt::format("{:.0f}", value) : std::string("-");
  };
  const bool disk = has_disk(system) && phase.victim.disk.seconds > 0;
  const bool network = has_network(system);
  return fmt::format(
      "  {:<7} {:>9} {:>8} {:>8} {:>8} {:>9.2f} {:>9.0f} {:>5}\n", name,
      figure(disk, phase.victim.disk.iops()), figure(disk, phase.victim.disk.percentile(0.99)),
      figure(network, phase.victim.network.rate), figure(network, phase.victim.network.p99),
      phase.seconds > 0 ? phase.drivers.cpu_seconds / phase.seconds : 0, phase.drivers.memory_kib,
      phase.drivers.descriptors);
}

}  // namespace

std::string as_text(const Trial& trial) {
  const Attack& attack = *trial.attack;
  std::string text = fmt::format("{} ({}, {})\n  does   {}\n  holds  {}\n", attack.name,
                                 attack.family, attack.source, attack.does, attack.holds);
  text += fmt::format("  {:<7} {:>9} {:>8} {:>8} {:>8} {:>9} {:>9} {:>5}\n",
                      to_string(trial.plan.system).substr(0, 7), "disk IOPS", "p99 us", "echoes/s",
                      "p99 us", "drv CPU", "drv KiB", "fds");
  text += phase_line("before", trial.before, trial.plan.system) +
          phase_line("during", trial.during, trial.plan.system) +
          phase_line("after", trial.after, trial.plan.system);
  if (trial.findings.cut_off_ms) {
    text += fmt::format("  cut off after {:.1f} ms\n", *trial.findings.cut_off_ms);
  }
  for (const std::string& refused : trial.findings.refused) text += "  refused: " + refused + '\n';
  for (const std::string& note : trial.findings.notes) text += "  note: " + note + '\n';
  if (trial.findings.gave_up) text += "  gave up: " + *trial.findings.gave_up + '\n';
  for (const std::string& why : trial.failures) text += "  FAILED: " + why + '\n';
  return text + (trial.held() ? "  held\n" : "");
}

std::string as_matrix(std::span<const Trial> trials) {
  std::vector<std::string_view> columns;
  for (const Trial& trial : trials) {
    const std::string_view name = to_string(trial.plan.system);
    if (std::ranges::find(columns, name) == columns.end()) columns.push_back(name);
  }
  std::string text = fmt::format("{:<40}", "attack (victim's share, worst p99 ratio)");
  for (const std::string_view column : columns) text += fmt::format(" {:<19}", column);
  for (auto row = trials.begin(); row != trials.end();) {
    const Attack* const attack = row->attack;
    text += fmt::format("\n{:<40}", attack->name);
    const auto end = std::find_if(row, trials.end(),
                                  [attack](const Trial& trial) { return trial.attack != attack; });
    for (const std::string_view column : columns) {
      const auto cell = std::find_if(row, end, [column](const Trial& trial) {
        return to_string(trial.plan.system) == column;
      });
      text += fmt::format(" {:<19}", cell == end ? "-" : verdict(*cell));
    }
    row = end;
  }
  return text + '\n';
}

std::string as_json(std::span<const Trial> trials) {
  json::array attacks;
  const Attack* last = nullptr;
  for (const Trial& trial : trials) {
    const Attack& attack = *trial.attack;
    if (&attack != last) {
      attacks.push_back(json::object{{"name", attack.name},
                                     {"family", attack.family},
                                     {"source", attack.source},
                                     {"role", attack.by_driver() ? "driver" : "client"},
                                     {"does", attack.does},
                                     {"holds", attack.holds},
                                     {"runs", json::array{}}});
    }
    last = &attack;
    attacks.back().at("runs").as_array().push_back(run_json(trial));
  }
  return json::serialize(json::object{{"machine", bench::describe_machine()},
                                      {"attacks", std::move(attacks)}}) +
         '\n';
}

std::string as_list() {
  std::string text;
  std::string_view family;
  for (const Attack& attack : catalogue()) {
    if (attack.family != family) text += fmt::format("{}\n", family = attack.family);
    text += fmt::format("  {:<28} {}", attack.name, attack.does);
    for (const System peer : {System::QemuStorageDaemon, System::DpdkNetVhost}) {
      if (applies(attack, peer)) text += fmt::format(" [{}]", to_string(peer));
    }
    text += '\n';
  }
  return text;
}

}  // namespace cede::attack
