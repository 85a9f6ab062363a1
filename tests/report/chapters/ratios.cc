// SPDX-License-Identifier: Apache-2.0
#include "tests/report/chapters/ratios.h"

#include <fmt/format.h>

#include <utility>

#include "tests/report/quantity.h"
#include "tests/report/reading.h"
#include "tests/report/systems.h"

namespace cede::report {

namespace json = boost::json;

std::string machine_of(const json::value& results) {
  const json::value& machine = member(results, "machine");
  const json::object* parts = machine.if_object();
  if (parts == nullptr) return words(machine);
  std::string text;
  for (const json::key_value_pair& part : *parts) {
    text += fmt::format("{}{}", text.empty() ? "" : ", ", words(part.value()));
  }
  return text;
}

std::string sampling_of(const json::value& results) {
  const double repetitions = number(results, "repetitions");
  const double seconds = number(results, "sample_seconds");
  if (!std::isfinite(repetitions)) return {};
  const std::string length =
      std::isfinite(seconds) ? fmt::format(" of {}", quantity(seconds, "s")) : "";
  std::string text =
      repetitions == 1
          ? fmt::format("One sample{} of each, so there is no spread.", length)
          : fmt::format(
                "Medians of {} samples{}, taken in turns; whiskers go from the least to the "
                "most.",
                repetitions, length);
  if (repetitions < 3 || seconds < 0.1) text += " That is too little to mean much.";
  return text;
}

BarGroup ratio_group(const json::value& workload, std::string name) {
  BarGroup group{std::move(name), {}};
  for (const json::value& ratio : items(workload, "ratios")) {
    const SystemLook over = look_of(words(ratio, "over"));
    const SystemLook under = look_of(words(ratio, "under"));
    group.bars.push_back(
        {fmt::format("{} / {}", over.name, under.name), under.tone, spread(ratio)});
  }
  return group;
}

Bars ratio_plot(std::vector<BarGroup> groups) {
  return {.unit = "x", .scale = Scale::Log, .mark = 1, .groups = std::move(groups)};
}

Headline ratio_headline(std::string name, double ratio, double goal, bool met) {
  Headline headline{std::move(name), quantity(ratio, "x"), {}, Judgement::None};
  if (!std::isfinite(goal)) return headline;
  headline.note = fmt::format("goal {}, {}", quantity(goal, "x"), met ? "met" : "not met");
  headline.judgement = met ? Judgement::Good : Judgement::Bad;
  return headline;
}

bool keep_measured(std::vector<BarGroup>& groups) {
  for (BarGroup& group : groups) {
    std::erase_if(group.bars, [](const Bar& bar) { return !is_there(bar.value); });
  }
  std::erase_if(groups, [](const BarGroup& group) { return group.bars.empty(); });
  return !groups.empty();
}

}  // namespace cede::report
