// SPDX-License-Identifier: Apache-2.0
// cede-report: measures everything that there is to measure, and writes it down.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/bench/interrupt.h"
#include "tests/report/files.h"
#include "tests/report/page.h"
#include "tests/report/report.h"
#include "tests/report/runner.h"

namespace cede::report {
namespace {

struct Options {
  std::string page = "report.html";
  std::string json;
  std::string from;
  std::string results;
  std::string images;
  std::vector<std::string> only;
  bool quick = false;
};

std::string explanation() {
  std::string text =
      "Runs each part, keeps its results and what it says in a directory, and writes one HTML "
      "page\n"
      "that needs nothing else. A part that fails does not stop the others, and one that is "
      "missing\n"
      "is named. Needs root, as the parts do. The exit status tells whether every part was "
      "measured\n"
      "without a failure, never of speed.\n\nParts (--only):\n";
  for (const Part& part : all_parts()) text += fmt::format("  {:<9} {}\n", part.name, part.about);
  text +=
      "\nExamples:\n"
      "  cede-report --out report.html                      everything but driver VMs\n"
      "  cede-report --images build/images --json all.json  them too, and for a machine to read\n"
      "  cede-report --quick --only blk,recovery            does it work at all?\n"
      "  cede-report --from report.parts                    the page once more, nothing is run\n";
  return text;
}

void add_options(CLI::App& app, Options& options) {
  app.footer(explanation());
  app.add_option("--out", options.page, "The page")->capture_default_str();
  app.add_option("--json", options.json, "The same for machines, in this file");
  CLI::Option* from =
      app.add_option("--from", options.from, "Run nothing: show the results in this directory")
          ->check(CLI::ExistingDirectory);
  app.add_option("--results", options.results,
                 "Where the results of the parts go; default: beside the page, as NAME.parts")
      ->excludes(from);
  app.add_option("--images", options.images,
                 "Where vmlinuz and driver-initramfs.cpio.gz are; without it no driver VM")
      ->check(CLI::ExistingDirectory)
      ->excludes(from);
  app.add_option("--only", options.only, "Only these parts (this,...)")->delimiter(',');
  app.add_flag("--quick", options.quick, "A smoke test: figures that mean nothing")->excludes(from);
}

Report measured(const Options& options, const std::vector<Part>& parts) {
  std::filesystem::path results = options.results;
  if (results.empty()) results = std::filesystem::path(options.page).replace_extension(".parts");
  RunRecord record = begin_record(options.quick);
  bench::catch_interrupts();
  run_parts(parts, {results, options.images, options.quick}, record);
  return compose(parts, record, results);
}

int run(int argc, char** argv) {
  Options options;
  CLI::App app("One report of everything: attacks, disks, networks, recovery, scale, rings.",
               "cede-report");
  add_options(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }
  const std::vector<Part> parts = chosen_parts(options.only);
  const Report report = options.from.empty()
                            ? measured(options, parts)
                            : compose(parts, read_record(options.from), options.from);
  write_file(options.page, as_page(report));
  if (!options.json.empty()) write_file(options.json, as_json(report));
  fmt::print("{}\n{}\n", as_text(report), options.page);
  const bool complete = std::ranges::all_of(report.parts, [](const PartReport& part) {
    return part.state == PartReport::State::Measured;
  });
  return complete || !options.from.empty() ? 0 : 1;
}

}  // namespace
}  // namespace cede::report

int main(int argc, char** argv) {
  try {
    return cede::report::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "cede-report: %s\n", error.what());
    return 1;
  }
}
