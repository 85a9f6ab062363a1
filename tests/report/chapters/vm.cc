// SPDX-License-Identifier: Apache-2.0
// Drivers in virtual machines beside drivers in processes: cede-bench vm, whose results are those
// of a disk and those of a network.
#include <stdexcept>

#include "tests/report/chapters/chapters.h"
#include "tests/report/quantity.h"
#include "tests/report/reading.h"

namespace cede::report {
namespace {

namespace json = boost::json;

using Reader = Chapter (*)(const json::value&);

// From the workload that suffers most to the one that suffers least.
void add_headline(Chapter& chapter, const json::value& results, const char* kind) {
  const auto ratio = [](const json::value& workload) {
    const std::span<const json::value> ratios = items(workload, "ratios");
    return ratios.empty() ? number({}) : number(ratios.front(), "median");
  };
  const bench::Spread all = spread_over(items(results, "workloads"), ratio);
  if (!is_there(all)) return;
  chapter.headlines.push_back(
      {std::string(kind) + "driver in a virtual machine / in a process, worst and best workload",
       quantity(all.least, "x") + " to " + quantity(all.most, "x"), "emulated, for the record",
       Judgement::None});
}

void take_over(Chapter& chapter, const json::value& results, const char* kind, Reader read) {
  if (items(results, "workloads").empty()) return;
  Chapter part = read(results);
  chapter.machine = part.machine;
  add_headline(chapter, results, kind);
  if (chapter.comparable.empty()) chapter.comparable.push_back(part.comparable.front());
  for (Section& section : part.sections) {
    section.title = std::string(kind) + section.title;
    chapter.sections.push_back(std::move(section));
  }
}

}  // namespace

Chapter read_vm(const json::value& results) {
  Chapter chapter;
  take_over(chapter, member(results, "block"), "Disk: ", read_block);
  take_over(chapter, member(results, "net"), "Network: ", read_net);
  if (chapter.sections.empty()) throw std::runtime_error("no workload was measured");
  chapter.comparable.emplace_back(
      "The same driver program, once in a sandboxed process and once in a virtual machine with a "
      "kernel of its own. Without KVM that machine is emulated: the price of a driver VM at its "
      "highest.");
  return chapter;
}

}  // namespace cede::report
