// SPDX-License-Identifier: Apache-2.0
// The attack matrix: cede-attack matrix. What each attack does to a victim beside it, on each
// system.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "tests/report/chapters/chapters.h"
#include "tests/report/chapters/ratios.h"
#include "tests/report/quantity.h"
#include "tests/report/reading.h"
#include "tests/report/systems.h"

namespace cede::report {
namespace {

namespace json = boost::json;

constexpr std::array<const char*, 3> kPhases = {"before", "during", "after"};
constexpr std::array<const char*, 2> kDevices = {"block", "net"};

std::string anchor_of(const json::value& attack) {
  std::string anchor = "attack-" + words(attack, "name");
  std::ranges::replace_if(
      anchor, [](unsigned char letter) { return std::isalnum(letter) == 0; }, '-');
  return anchor;
}

std::vector<std::string> systems_of(const json::value& results) {
  std::vector<std::string> systems;
  for (const json::value& attack : items(results, "attacks")) {
    for (const json::value& run : items(attack, "runs")) {
      const std::string system = words(run, "system");
      if (std::ranges::count(systems, system) == 0) systems.push_back(system);
    }
  }
  return systems;
}

// Of the victim's 99th percentiles, during the attack over without it: the worst.
double worst_ratio(const json::value& run) {
  double worst = std::numeric_limits<double>::quiet_NaN();
  for (const char* device : kDevices) {
    const json::value& victim = member(run, {"victim", device});
    const auto p99 = [&](std::string_view phase) {
      return spread(member(victim, {phase, "p99_us"})).median;
    };
    const double ratio = p99("during") / std::fmax(p99("before"), p99("after"));
    if (std::isfinite(ratio) && !(worst >= ratio)) worst = ratio;
  }
  return worst;
}

// KiB that driver and broker have more during the attack than before it.
double memory_taken(const json::value& run) {
  double taken = std::numeric_limits<double>::quiet_NaN();
  for (const char* who : {"driver", "broker"}) {
    const auto rss = items(member(run, {who, "rss_kib"}));
    if (rss.size() < 2) continue;
    const double more = number(rss[1]) - number(rss[0]);
    if (std::isfinite(more)) taken = std::isfinite(taken) ? taken + more : more;
  }
  return taken;
}

Heat heat_of(std::string_view verdict) {
  if (verdict == "held") return Heat::Good;
  if (verdict == "slowed") return Heat::Poor;
  return verdict == "failed" ? Heat::Bad : Heat::None;
}

// None: it is no verdict.
std::string_view sign_of(Heat heat) {
  switch (heat) {
    case Heat::Good:
      return "\u2713 ";
    case Heat::Poor:
      return "\u2193 ";
    case Heat::Bad:
      return "\u2717 ";
    default:
      return "";
  }
}

MatrixCell cell_of(const json::value& run) {
  const std::string verdict = words(run, "verdict");
  MatrixCell cell{verdict, heat_of(verdict), {}};
  if (cell.heat == Heat::None) return cell;
  cell.text = fmt::format("{}{}", sign_of(cell.heat), verdict);
  const double ratio = worst_ratio(run);
  const double taken = memory_taken(run);
  if (std::isfinite(ratio)) cell.notes.push_back("p99 " + quantity(ratio, "x"));
  if (std::isfinite(taken)) {
    cell.notes.push_back((taken < 0 ? "" : "+") + quantity(taken, "KiB"));
  }
  const json::value& alive = member(run, {"driver", "alive"});
  if (alive.is_bool() && !alive.get_bool()) cell.notes.emplace_back("driver dead");
  return cell;
}

Matrix matrix_of(const json::value& results, const std::vector<std::string>& systems) {
  Matrix matrix{.columns = {}, .rows = {}, .cards = true};
  for (const std::string& system : systems) matrix.columns.push_back(look_of(system).name);
  for (const json::value& attack : items(results, "attacks")) {
    MatrixRow row{words(attack, "name"),
                  fmt::format("{}, by the {}", words(attack, "family"), words(attack, "role")),
                  anchor_of(attack),
                  {}};
    for (const std::string& system : systems) {
      const auto runs = items(attack, "runs");
      const auto run = std::ranges::find_if(
          runs, [&](const json::value& one) { return words(one, "system") == system; });
      row.cells.push_back(run == runs.end() ? MatrixCell{"not run", Heat::None, {}}
                                            : cell_of(*run));
    }
    matrix.rows.push_back(std::move(row));
  }
  return matrix;
}

Headline headline_of(const json::value& results, const std::string& system) {
  int held = 0;
  int slowed = 0;
  int tried = 0;
  double worst = 0;
  for (const json::value& attack : items(results, "attacks")) {
    for (const json::value& run : items(attack, "runs")) {
      const Heat heat = heat_of(words(run, "verdict"));
      if (words(run, "system") != system || heat == Heat::None) continue;
      ++tried;
      if (heat == Heat::Good) ++held;
      if (heat == Heat::Poor) ++slowed;
      if (worst_ratio(run) > worst) worst = worst_ratio(run);
    }
  }
  Headline headline{
      look_of(system).name, fmt::format("{} of {} held", held, tried), {}, Judgement::None};
  // The others are there to be compared with.
  if (system == "donated" && tried > 0) {
    headline.judgement = held == tried ? Judgement::Good : Judgement::Bad;
  }
  if (held != tried) {
    headline.note =
        fmt::format("{} slow the victim, {} do other harm", slowed, tried - held - slowed);
  }
  if (worst > 0) {
    headline.note += fmt::format("{}victim's p99 at worst {}", headline.note.empty() ? "" : "; ",
                                 quantity(worst, "x"));
  }
  return headline;
}

// The victim's figure on each system, in each phase.
void show(Section& section, const json::value& attack, const char* device, const char* figure,
          const std::string& title, const std::string& unit, Scale scale) {
  std::vector<BarGroup> groups;
  for (const json::value& run : items(attack, "runs")) {
    BarGroup group{look_of(words(run, "system")).name, {}};
    for (const char* phase : kPhases) {
      const json::value& value = member(run, {"victim", device, phase, figure});
      group.bars.push_back({phase, look_of(phase).tone, spread(value)});
    }
    groups.push_back(std::move(group));
  }
  if (!keep_measured(groups)) return;
  section.exhibits.push_back({title, Bars{unit, scale, {}, std::move(groups)}});
}

// "12 MiB, 13 MiB, 12 MiB"
std::string phases(const json::value& values, std::string_view unit) {
  std::string text;
  for (const json::value& value : items(values)) {
    text += fmt::format("{}{}", text.empty() ? "" : ", ", quantity(number(value), unit));
  }
  return text.empty() ? "-" : text;
}

Table resources_of(const json::value& attack) {
  Table table{{"", "who", "alive", "memory", "processors", "descriptors", "pages unaccounted",
               "cut off after"},
              {}};
  for (const json::value& run : items(attack, "runs")) {
    for (const char* who : {"driver", "broker"}) {
      const json::value& process = member(run, who);
      if (!process.is_object()) continue;
      const json::value& alive = member(process, "alive");
      const double pages = number(run, "pages_unaccounted");
      table.rows.push_back({look_of(words(run, "system")).name, who,
                            alive.is_bool() ? (alive.get_bool() ? "yes" : "no") : "-",
                            phases(member(process, "rss_kib"), "KiB"),
                            phases(member(process, "cpu_share"), ""),
                            phases(member(process, "fds"), ""), quantity(pages, ""),
                            quantity(number(run, "cut_off_ms"), "ms")});
    }
  }
  return table;
}

Section details_of(const json::value& attack) {
  Section section{words(attack, "name"), {}, {}, anchor_of(attack), true};
  for (const auto& [heading, field] : {std::pair{"What it does: ", "does"},
                                       {"What has to hold: ", "holds"},
                                       {"Where it is from: ", "source"}}) {
    const std::string text = words(attack, field);
    if (!text.empty()) section.paragraphs.push_back(heading + text);
  }
  for (const json::value& run : items(attack, "runs")) {
    std::string why;
    for (const json::value& reason : items(run, "why")) why += "; " + words(reason);
    for (const json::value& refused : items(run, "refused")) why += "; refused: " + words(refused);
    for (const json::value& note : items(run, "notes")) why += "; " + words(note);
    section.paragraphs.push_back(
        fmt::format("{}: {}{}", look_of(words(run, "system")).name, words(run, "verdict"), why));
  }
  show(section, attack, "block", "p99_us", "Victim's disk: p99", "us", Scale::Log);
  show(section, attack, "block", "iops", "Victim's disk: operations", "/s", Scale::Linear);
  show(section, attack, "net", "p99_us", "Victim's network: p99", "us", Scale::Log);
  show(section, attack, "net", "iops", "Victim's network: operations", "/s", Scale::Linear);
  Table resources = resources_of(attack);
  if (!resources.rows.empty()) {
    section.exhibits.push_back({"Before, during and after", std::move(resources)});
  }
  return section;
}

}  // namespace

Chapter read_attack(const json::value& results) {
  const std::vector<std::string> systems = systems_of(results);
  if (systems.empty()) throw std::runtime_error("no attack was run");
  Chapter chapter;
  chapter.machine = machine_of(results);
  for (const std::string& system : systems) {
    chapter.headlines.push_back(headline_of(results, system));
  }
  chapter.comparable = {
      "Every attack meets every system that has what it attacks, with the same victim beside it. "
      "Donated, revocable and driver-owned are three memory policies of the same driver; QSD is "
      "qemu-storage-daemon, whose victim has a disk alone; DPDK net_vhost is a port of a testpmd "
      "that forwards the victims' frames, too, and they have a network alone. The fair "
      "share is what a victim has beside a client that reads and computes as fast as it can, or "
      "beside an idle one, if that is less. What others used of the machine is in the ratios: only "
      "large ones mean something."};
  chapter.sections.push_back(
      {{},
       {"For each attack and system: did it hold, was the victim slowed (less than 80 % of its "
        "fair share, or three times the p99, in two of three runs) and nothing else, or did more "
        "fail; the victim's p99 during the attack over without it, the worse of disk and network; "
        "memory that driver and broker took for it. What the family 'control' shows is the "
        "machine's doing."},
       {{"Attacks and systems", matrix_of(results, systems)}},
       {},
       false});
  for (const json::value& attack : items(results, "attacks")) {
    chapter.sections.push_back(details_of(attack));
  }
  return chapter;
}

}  // namespace cede::report
