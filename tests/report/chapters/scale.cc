// SPDX-License-Identifier: Apache-2.0
// Many sessions on one driver: cede-bench scale.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <stdexcept>

#include "tests/report/chapters/chapters.h"
#include "tests/report/chapters/ratios.h"
#include "tests/report/quantity.h"
#include "tests/report/reading.h"

namespace cede::report {
namespace {

namespace json = boost::json;

// A figure of each step: the plot that it is a line of.
struct Words {
  std::string_view figure;
  std::string_view exhibit;
  std::string_view line;
  std::string_view unit;
  Scale scale = Scale::Linear;
  Tone tone = Tone::Cede;
};
constexpr std::string_view kConnect = "Until a session is there, all at once";
constexpr std::string_view kMemory = "Memory, idle";
constexpr std::string_view kSession = "Memory of a session, beyond its own pages";
constexpr std::string_view kWake = "Wake-ups, idle";
constexpr std::string_view kBusy = "Processor time in a second, idle";
constexpr std::string_view kShare = "Operations of one session";
constexpr std::array<Words, 18> kWords = {{
    {"iops", "Operations of all sessions", "all", "/s"},
    {"session_iops_max", kShare, "most", "/s", Scale::Log, Tone::Peer},
    {"session_iops_median", kShare, "median", "/s", Scale::Log, Tone::Cede},
    {"session_iops_min", kShare, "least", "/s", Scale::Log, Tone::PeerToo},
    {"jain_index", "Fairness: Jain's index, 1 at best", "Jain's index", ""},
    {"driver_cpu_us_per_io", "Driver's processor time for an operation", "driver", "us"},
    {"connect_last_ms", kConnect, "last", "ms", Scale::Log, Tone::PeerToo},
    {"connect_median_ms", kConnect, "median", "ms", Scale::Log, Tone::Cede},
    {"connect_first_ms", kConnect, "first", "ms", Scale::Log, Tone::CedeToo},
    {"driver_rss_kib", kMemory, "driver, resident", "KiB", Scale::Log, Tone::Cede},
    {"driver_pss_kib", kMemory, "driver, its share", "KiB", Scale::Log, Tone::CedeToo},
    {"broker_rss_kib", kMemory, "broker, resident", "KiB", Scale::Log, Tone::Peer},
    {"driver_kib_per_session", kSession, "driver", "KiB", Scale::Linear, Tone::Cede},
    {"broker_kib_per_session", kSession, "broker", "KiB", Scale::Linear, Tone::Peer},
    {"idle_driver_wakeups_per_second", kWake, "driver", "/s", Scale::Linear, Tone::Cede},
    {"idle_broker_wakeups_per_second", kWake, "broker", "/s", Scale::Linear, Tone::Peer},
    {"idle_driver_cpu_ms_per_second", kBusy, "driver", "ms", Scale::Linear, Tone::Cede},
    {"idle_broker_cpu_ms_per_second", kBusy, "broker", "ms", Scale::Linear, Tone::Peer},
}};

Words words_for(std::string_view figure) {
  const auto known = std::ranges::find(kWords, figure, &Words::figure);
  return known == kWords.end() ? Words{figure, figure, figure, ""} : *known;
}

void add(std::vector<Exhibit>& exhibits, const Words& say, const Point& point) {
  auto exhibit = std::ranges::find(exhibits, say.exhibit, &Exhibit::title);
  if (exhibit == exhibits.end()) {
    exhibit = exhibits.insert(
        exhibits.end(), {std::string(say.exhibit),
                         Lines{"sessions", Scale::Log, std::string(say.unit), say.scale, {}}});
  }
  std::vector<Series>& series = std::get<Lines>(exhibit->what).series;
  auto line = std::ranges::find(series, say.line, &Series::name);
  if (line == series.end())
    line = series.insert(series.end(), {std::string(say.line), say.tone, {}});
  line->points.push_back(point);
}

std::vector<Exhibit> exhibits_of(const json::value& results) {
  std::vector<Exhibit> exhibits;
  for (const json::value& step : items(results, "steps")) {
    const json::object* figures = member(step, "figures").if_object();
    if (figures == nullptr) continue;
    for (const json::key_value_pair& figure : *figures) {
      const Point point{number(step, "sessions"), spread(figure.value())};
      if (std::isfinite(point.x) && is_there(point.y))
        add(exhibits, words_for(figure.key()), point);
    }
  }
  return exhibits;
}

double figure(const json::value& step, std::string_view name) {
  return spread(member(step, {"figures", name})).median;
}

// Of the step with the most sessions.
std::vector<Headline> headlines_of(const json::value& step) {
  const std::string with = quantity(number(step, "sessions"), "") + " sessions: ";
  const auto plain = [&](const char* name, const char* key, const char* unit) {
    return Headline{with + name, quantity(figure(step, key), unit), {}, Judgement::None};
  };
  std::vector<Headline> all;
  const double wakeups = figure(step, "idle_driver_wakeups_per_second");
  all.push_back({with + "wake-ups of the idle driver", quantity(wakeups, "/s"), "goal 0",
                 wakeups == 0 ? Judgement::Good : Judgement::Bad});
  all.push_back(plain("fairness (Jain)", "jain_index", ""));
  all.push_back(plain("driver's memory for each", "driver_kib_per_session", "KiB"));
  all.push_back(plain("until the last is connected", "connect_last_ms", "ms"));
  std::erase_if(all, [](const Headline& one) { return one.value == "-"; });
  return all;
}

// What a session's pages are to an idle client, by memory policy.
std::optional<Exhibit> idle_memory(const json::value& results) {
  Table table{{"policy", "client pays", "driver pays", "after take-back", "still in the region",
               "reads then"},
              {}};
  for (const json::value& row : items(results, "idle_memory")) {
    const auto kib = [&](const char* name) { return quantity(number(row, name), "KiB"); };
    table.rows.push_back({words(row, "policy"), kib("client_kib"), kib("driver_kib"),
                          kib("kib_after_taking_back"), kib("kib_in_region_then"),
                          number(row, "wrong_reads") == 0 ? "right" : "wrong"});
  }
  if (table.rows.empty()) return std::nullopt;
  return Exhibit{"Whom the kernel charges, for each idle session", std::move(table)};
}

}  // namespace

Chapter read_scale(const json::value& results) {
  std::vector<Exhibit> exhibits = exhibits_of(results);
  if (exhibits.empty()) throw std::runtime_error("no step was measured");
  Chapter chapter;
  chapter.machine = machine_of(results);
  chapter.headlines = headlines_of(items(results, "steps").back());
  std::string what =
      "One driver, and a client for each session, which all share this machine with it";
  const double depth = number(results, "depth");
  const double block = number(results, "block_bytes");
  if (std::isfinite(depth) && std::isfinite(block)) {
    what += fmt::format("; each keeps {} reads of {} in flight", depth, quantity(block, "B"));
  }
  chapter.comparable = {sampling_of(results),
                        what +
                            ". Figures of the driver alone (memory, wake-ups, its processor time) "
                            "compare between machines; rates include the clients' work."};
  chapter.sections.push_back({{}, {}, std::move(exhibits), {}, false});
  if (std::optional<Exhibit> idle = idle_memory(results)) {
    chapter.sections.push_back(
        {"Idle sessions by memory policy",
         {"What donated memory costs: an idle client's pages are of no use to it until it closes "
          "the session. Where it may revoke them, it can take them out of the region; but drivers "
          "pin what they do I/O on, and what is pinned stays charged all the same."},
         {std::move(*idle)},
         {},
         false});
  }
  return chapter;
}

}  // namespace cede::report
