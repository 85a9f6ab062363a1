// SPDX-License-Identifier: Apache-2.0
// The real cede-report, and stand-ins for the programs that measure.
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>

#include "tests/report/files.h"
#include "tests/support/eventually.h"
#include "tests/support/temporary_directory.h"
#include "tests/unit/report/well_formed.h"
#include "vmm/process/process.h"

namespace cede::report {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kPatience{60};

class ProgramTest : public testing::Test {
 protected:
  ProgramTest() {
    fs::create_directory(directory_.path("bin"));
    ::setenv("CEDE_LIBEXEC", directory_.path("bin").c_str(), 1);
  }

  // Called as NAME PART --json FILE ...
  void stand_in(const std::string& name, const std::string& script) const {
    const std::string file = directory_.path("bin/" + name);
    write_file(file, "#!/bin/sh\nout=\"$3\"\n" + script + "\n");
    fs::permissions(file, fs::perms::owner_all);
  }

  [[nodiscard]] Process start(std::vector<std::string> words) const {
    words.insert(words.begin(), {CEDE_REPORT, "--out", directory_.path("report.html")});
    Launch launch;
    launch.arguments = std::move(words);
    return Process::start(launch);
  }
  [[nodiscard]] std::optional<int> run(std::vector<std::string> words) const {
    return start(std::move(words)).wait(kPatience);
  }
  [[nodiscard]] std::string page() const {
    const std::string text = read_file(directory_.path("report.html")).value_or("");
    return WellFormed(text).text();
  }
  [[nodiscard]] bool shows(const std::string& text) const {
    return page().find(text) != std::string::npos;
  }

  test::TemporaryDirectory directory_;
};

const std::string kRecovery =
    R"(echo '{"rows": [{"workload": "crash", "system": "process", "unit": "ms", "median": 77}]}' > "$out")";

TEST_F(ProgramTest, RunsThePartsAndKeepsWhatTheySaid) {
  stand_in("cede-bench", "echo \"progress of $1 $4\" >&2\n" + kRecovery);
  EXPECT_EQ(run({"--only", "recovery", "--quick"}), 0);
  EXPECT_TRUE(shows("77\u00a0ms"));
  EXPECT_TRUE(shows("quick run"));
  EXPECT_EQ(read_file(directory_.path("report.parts/recovery.log")),
            "progress of recovery --quick\n");
}

TEST_F(ProgramTest, OnePartsFailureDoesNotStopTheOthers) {
  stand_in("cede-bench",
           "if [ $1 != recovery ]; then echo 'no such thing' >&2; exit 9; fi\n" + kRecovery);
  EXPECT_EQ(run({"--only", "blk,recovery,attack,vm"}), 1);
  EXPECT_TRUE(shows("Disks: missing. exit 9: no such thing"));
  EXPECT_TRUE(shows("Attacks: missing. cannot find the program 'cede-attack'"));
  EXPECT_TRUE(shows("Driver VMs: missing. needs --images"));
  EXPECT_TRUE(shows("77\u00a0ms"));
}

TEST_F(ProgramTest, OldResultsAreNotTakenForNewOnes) {
  stand_in("cede-bench", kRecovery);
  EXPECT_EQ(run({"--only", "recovery"}), 0);
  stand_in("cede-bench", "exit 1");
  EXPECT_EQ(run({"--only", "recovery"}), 1);
  EXPECT_FALSE(shows("77\u00a0ms"));
}

TEST_F(ProgramTest, FromADirectoryRunsNothing) {
  stand_in("cede-bench", "if [ $1 = blk ]; then exit 3; fi\n" + kRecovery);
  EXPECT_EQ(run({"--only", "recovery,blk"}), 1);
  fs::remove_all(directory_.path("bin"));
  fs::remove(directory_.path("report.html"));
  EXPECT_EQ(run({"--from", directory_.path("report.parts")}), 0);
  EXPECT_TRUE(shows("77\u00a0ms"));
  EXPECT_TRUE(shows("Disks: missing. exit 3")) << "what became of it is remembered";
  EXPECT_TRUE(shows("Networks: missing"));
}

TEST_F(ProgramTest, AnInterruptStopsThePartsAndShowsWhatIsThere) {
  const std::string begun = directory_.path("begun");
  stand_in("cede-bench", "if [ $1 = recovery ]; then " + kRecovery + "; exit 0; fi\n" + "echo > " +
                             begun + "\nexec sleep 600");
  Process report = start({"--only", "recovery,scale,ring"});
  ASSERT_TRUE(eventually([&] { return fs::exists(begun); }));
  report.signal(SIGINT);
  EXPECT_EQ(report.wait(kPatience), 1);
  EXPECT_TRUE(shows("77\u00a0ms"));
  EXPECT_TRUE(shows("Many sessions: missing. interrupted"));
  EXPECT_TRUE(shows("Rings: missing. interrupted"));
}

}  // namespace
}  // namespace cede::report
