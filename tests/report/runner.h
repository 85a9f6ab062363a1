// SPDX-License-Identifier: Apache-2.0
// Runs the parts one after the other, each by the program that measures it.
#pragma once

#include <filesystem>
#include <span>
#include <string>

#include "tests/report/parts.h"
#include "tests/report/run_record.h"

namespace cede::report {

struct RunOptions {
  std::filesystem::path directory;  // for NAME.json and NAME.log
  std::filesystem::path images;     // of driver VMs; empty: there are none
  bool quick = false;
};

// Older results of these parts go; a part that fails does not stop the others, and an interrupt
// stops them all. What became of each is in `record`, and in the directory's run.json after each.
// Throws std::runtime_error where the directory cannot be written.
void run_parts(std::span<const Part> parts, const RunOptions& options, RunRecord& record);

}  // namespace cede::report
