// SPDX-License-Identifier: Apache-2.0
#include "tests/report/page.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json.hpp>

#include "tests/report/files.h"
#include "tests/support/temporary_directory.h"
#include "tests/unit/report/well_formed.h"

namespace cede::report {
namespace {

namespace json = boost::json;

// Wherever results may have text, it is this.
const std::string kHostile = "</style></svg><script src=\"http://x/\">&amp;]]>\x01";

json::value attacks() {
  const json::object run{{"system", kHostile},
                         {"verdict", "failed"},
                         {"why", json::array{kHostile}},
                         {"victim", {{"block", {{"before", {{"p99_us", 1}}}}}}},
                         {"driver", {{"alive", true}, {"rss_kib", json::array{1, 2, 3}}}}};
  return {{"machine", kHostile},
          {"attacks", json::array{json::object{{"name", kHostile},
                                               {"family", kHostile},
                                               {"role", kHostile},
                                               {"source", kHostile},
                                               {"does", kHostile},
                                               {"holds", kHostile},
                                               {"runs", json::array{run}}}}}};
}

json::value rows() {
  return {{"machine", {{"model", kHostile}}},
          {"rows", json::array{json::object{{"workload", kHostile},
                                            {"system", kHostile},
                                            {"unit", kHostile},
                                            {"median", 1e300},
                                            {"min", -1},
                                            {"max", "7"}}}}};
}

class PageTest : public testing::Test {
 protected:
  void results(const std::string& part, const std::string& text) const {
    write_file(directory_.path(part + ".json"), text);
  }
  [[nodiscard]] Report composed(const RunRecord& run = {}) const {
    return compose(all_parts(), run, directory_.path());
  }
  [[nodiscard]] static const PartReport& part(const Report& report, std::string_view name) {
    return *std::ranges::find_if(report.parts,
                                 [&](const PartReport& one) { return one.part.name == name; });
  }

  test::TemporaryDirectory directory_;
};

TEST_F(PageTest, HostileResultsStayText) {
  results("attack", json::serialize(attacks()));
  results("recovery", json::serialize(rows()));
  RunRecord run{kHostile, kHostile, true, {{kHostile, kHostile}}, {}};
  run.parts["attack"] = {kHostile, 3};
  const WellFormed page(as_page(composed(run)));
  EXPECT_EQ(std::ranges::count(page.tags(), "script"), 0);
  EXPECT_EQ(std::ranges::count(page.tags(), "style"), 1);
  EXPECT_NE(page.text().find("<script src=\"http://x/\">"), std::string::npos);
}

TEST_F(PageTest, NeedsNothingElse) {
  results("attack", json::serialize(attacks()));
  const std::string page = as_page(composed());
  const WellFormed read(page);
  for (const std::string_view foreign : {"img", "link", "iframe", "object", "use", "base"}) {
    EXPECT_EQ(std::ranges::count(read.tags(), foreign), 0) << foreign;
  }
  EXPECT_EQ(style_sheet().find("url("), std::string_view::npos);
  EXPECT_EQ(style_sheet().find("@import"), std::string_view::npos);
  EXPECT_EQ(style_sheet().find_first_of("<&"), std::string_view::npos);
}

TEST_F(PageTest, EveryLinkLeadsSomewhereAndNoIdIsThereTwice) {
  results("attack", json::serialize(attacks()));
  const WellFormed page(as_page(composed()));
  ASSERT_FALSE(page.targets().empty());
  for (const std::string& target : page.targets()) {
    ASSERT_TRUE(target.starts_with("#")) << target;
    EXPECT_EQ(std::ranges::count(page.ids(), target.substr(1)), 1) << target;
  }
}

TEST_F(PageTest, WhatIsMissingIsNamed) {
  const Report report = composed();
  const WellFormed page(as_page(report));
  const std::string text = as_text(report);
  for (const PartReport& one : report.parts) {
    EXPECT_EQ(one.state, PartReport::State::Missing);
    const std::string notice = std::string(one.part.title) + ": missing";
    EXPECT_NE(page.text().find(notice), std::string::npos) << notice;
    EXPECT_NE(text.find(notice), std::string::npos) << notice;
  }
}

TEST_F(PageTest, OneThatFailsDoesNotLoseTheOthers) {
  results("recovery", json::serialize(rows()));
  results("blk", "{\"workloads\": [");
  results("net", "{}");
  RunRecord run;
  run.parts["recovery"] = {"exit 1: an operation failed", 2};
  run.parts["vm"] = {"needs --images", 0};
  const Report report = composed(run);
  EXPECT_EQ(part(report, "recovery").state, PartReport::State::Failed);
  EXPECT_FALSE(part(report, "recovery").chapter.sections.empty()) << "what it has is shown";
  EXPECT_EQ(part(report, "blk").state, PartReport::State::Unreadable);
  EXPECT_EQ(part(report, "net").state, PartReport::State::Unreadable);
  EXPECT_EQ(part(report, "vm").state, PartReport::State::Missing);
  EXPECT_EQ(part(report, "vm").why, "needs --images");
  (void)WellFormed(as_page(report));
}

TEST_F(PageTest, ResultsOfDifferentMachinesAreWarnedOf) {
  results("attack", json::serialize(attacks()));
  results("recovery", R"({"machine": "another", "rows": [{"unit": "ms", "median": 1}]})");
  const std::vector<std::string> found = warnings(composed());
  ASSERT_FALSE(found.empty());
  EXPECT_NE(found.front().find("different machines"), std::string::npos);
}

TEST_F(PageTest, TheJsonHasTheResultsAsTheyWere) {
  results("recovery", json::serialize(rows()));
  RunRecord run;
  run.date = "a day";
  const json::value report = json::parse(as_json(composed(run)));
  EXPECT_EQ(report.at("date").as_string(), "a day");
  const json::array& parts = report.at("parts").as_array();
  const auto recovery = std::ranges::find_if(
      parts, [](const json::value& one) { return one.at("name") == "recovery"; });
  ASSERT_NE(recovery, parts.end());
  EXPECT_EQ(recovery->at("results"), rows());
}

TEST(Parts, AreChosenByNameInTheirOwnOrder) {
  const std::vector<std::string> names{"blk", "attack"};
  const std::vector<Part> chosen = chosen_parts(names);
  ASSERT_EQ(chosen.size(), 2U);
  EXPECT_EQ(chosen[0].name, "attack");
  EXPECT_THROW((void)chosen_parts(std::vector<std::string>{"blk", "bulk"}), std::runtime_error);
}

}  // namespace
}  // namespace cede::report
