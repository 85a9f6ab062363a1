// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <regex>

#include "tests/report/plots/bars.h"
#include "tests/report/plots/frame.h"
#include "tests/report/plots/lines.h"
#include "tests/report/plots/matrix.h"
#include "tests/unit/report/well_formed.h"

namespace cede::report {
namespace {

const double kNone = std::nan("");
const std::string kHostile = "<b>&\"'</b>";

// Values of an attribute, in order.
std::vector<double> all_of(const std::string& svg, const std::string& attribute) {
  std::vector<double> values;
  const std::regex pattern(" " + attribute + "=\"([^\"]*)\"");
  for (std::sregex_iterator at(svg.begin(), svg.end(), pattern), end; at != end; ++at) {
    values.push_back(std::stod((*at)[1]));
  }
  return values;
}

TEST(Axis, LinearBeginsAtZeroAndHasRoomForAll) {
  const Axis axis(Scale::Linear, std::vector<double>{30, 87, kNone});
  EXPECT_EQ(axis.place(0), 0);
  EXPECT_EQ(axis.place(87), 1);
  EXPECT_DOUBLE_EQ(axis.place(43.5), 0.5);
  EXPECT_EQ(axis.place(1000), 1) << "beyond the end is at the end";
  EXPECT_EQ(axis.ticks(), (std::vector<double>{0, 25, 50, 75}));
}

TEST(Axis, LogarithmicHasEqualRatiosInEqualSteps) {
  const Axis axis(Scale::Log, std::vector<double>{1, 10'000, 0, -3, kNone});
  EXPECT_EQ(axis.place(1), 0);
  EXPECT_NEAR(axis.place(10) - axis.place(1), axis.place(1000) - axis.place(100), 1e-9);
  EXPECT_EQ(axis.place(10'000), 1);
  EXPECT_EQ(axis.place(0), 0) << "what has no place is at the low end";
  EXPECT_EQ(axis.place(kNone), 0);
}

TEST(Axis, TicksRiseAndAreFewWhateverTheValues) {
  for (const Scale scale : {Scale::Linear, Scale::Log}) {
    for (double least = 1e-6; least < 1e9; least *= 3.7) {
      for (double most = least; most < 1e12; most *= 5.3) {
        const Axis axis(scale, std::vector<double>{least, most});
        const std::vector<double>& ticks = axis.ticks();
        ASSERT_TRUE(std::ranges::is_sorted(ticks)) << least << " " << most;
        ASSERT_GE(ticks.size(), scale == Scale::Log ? 2U : 1U) << least << " " << most;
        ASSERT_LE(ticks.size(), 7U) << least << " " << most;
        ASSERT_GE(axis.place(most), axis.place(least));
        ASSERT_LE(axis.place(most), 1);
      }
    }
  }
}

TEST(Axis, TightEndsWhereTheValuesDo) {
  const Axis axis = Axis::tight(Scale::Log, std::vector<double>{2, 256});
  EXPECT_EQ(axis.place(2), 0);
  EXPECT_DOUBLE_EQ(axis.place(256), 1);
  EXPECT_EQ(axis.ticks(), (std::vector<double>{10, 100}));
}

TEST(Axis, MemoryHasTicksAtPowersOfFour) {
  const Axis axis(Scale::Log, std::vector<double>{5, 60}, 4);
  EXPECT_EQ(axis.ticks(), (std::vector<double>{4, 16, 64}));
}

TEST(Axis, NothingToShowIsNoFault) {
  for (const Scale scale : {Scale::Linear, Scale::Log}) {
    EXPECT_GE(Axis(scale, {}).ticks().size(), 1U);
    EXPECT_GE(Axis(scale, std::vector<double>{0, 0}).ticks().size(), 1U);
  }
}

Bars some_bars(Scale scale) {
  return {.unit = "us",
          .scale = scale,
          .mark = 50,
          .groups = {{"group " + kHostile,
                      {{"slow", Tone::Peer, {100, 80, 130}}, {"fast", Tone::Cede, {25, 25, 25}}}}}};
}

TEST(BarsTest, LengthsAreInProportion) {
  const std::string svg = draw(some_bars(Scale::Linear), "title " + kHostile).text();
  const std::vector<double> widths = all_of(svg, "width");
  ASSERT_EQ(widths.size(), 2U);
  EXPECT_NEAR(widths[0] / widths[1], 4, 0.05);
  const WellFormed read(svg);
  EXPECT_NE(read.text().find("group " + kHostile), std::string::npos);
}

TEST(BarsTest, OnALogarithmicAxisThereAreDots) {
  const std::string svg = draw(some_bars(Scale::Log), "title").text();
  const WellFormed read(svg);
  EXPECT_EQ(std::ranges::count(read.tags(), "rect"), 0);
  EXPECT_EQ(std::ranges::count(read.tags(), "circle"), 2);
}

TEST(BarsTest, EverythingIsWithinThePicture) {
  Bars bars = some_bars(Scale::Linear);
  bars.groups.front().bars.front().name = std::string(200, 'x');
  for (const double x : all_of(draw(bars, "title").text(), "x2")) {
    EXPECT_GE(x, 0);
    EXPECT_LE(x, kWidth);
  }
}

TEST(BarsTest, WhiskersOnlyWhereThereIsASpread) {
  const std::string svg = draw(some_bars(Scale::Linear), "title").text();
  std::size_t whiskers = 0;
  for (std::size_t at = 0; (at = svg.find("\"whisker\"", at)) != std::string::npos; ++at)
    ++whiskers;
  EXPECT_EQ(whiskers, 3U) << "one bar's line and its two ends";
}

TEST(BarsTest, TheTableHasTheSameNumbers) {
  const Table table = table_of(some_bars(Scale::Linear));
  ASSERT_EQ(table.rows.size(), 2U);
  EXPECT_EQ(table.rows[0],
            (std::vector<std::string>{"group " + kHostile, "slow", "100\u00a0\u00b5s",
                                      "80\u00a0\u00b5s", "130\u00a0\u00b5s"}));
  EXPECT_EQ(table.headings.size(), table.rows[0].size());
}

Lines some_lines() {
  return {.x_name = "sessions",
          .x_scale = Scale::Log,
          .unit = "/s",
          .y_scale = Scale::Log,
          .series = {{"a " + kHostile, Tone::Cede, {{1, {10, 9, 12}}, {256, {1000, 900, 1100}}}},
                     {"b", Tone::Peer, {{1, {5, 5, 5}}, {16, {kNone, kNone, kNone}}}}}};
}

TEST(LinesTest, EveryPointThatIsThereIsDrawn) {
  const std::string svg = draw(some_lines(), "title").text();
  const WellFormed read(svg);
  std::size_t points = 0;
  for (std::size_t at = 0; (at = svg.find("\"point\"", at)) != std::string::npos; ++at) ++points;
  EXPECT_EQ(points, 3U + 2U) << "three points, and one mark for each line in the key";
  EXPECT_EQ(svg.find("nan"), std::string::npos);
  EXPECT_NE(read.text().find("a " + kHostile), std::string::npos);
}

TEST(LinesTest, OneLineNeedsNoKey) {
  Lines lines = some_lines();
  lines.series.resize(1);
  lines.series.front().name = "alone";
  const WellFormed read(draw(lines, "title").text());
  EXPECT_EQ(read.text().find("alone\n\n"), std::string::npos);
}

TEST(LinesTest, NoPointsAreNoFault) {
  (void)WellFormed(draw(Lines{"x", Scale::Log, "us", Scale::Log, {}}, "title").text());
  (void)WellFormed(
      draw(Lines{"x", Scale::Log, "us", Scale::Log, {{"a", Tone::Cede, {}}}}, "t").text());
}

TEST(MatrixTest, CellsAreNamedByRowAndColumn) {
  const Matrix matrix{.columns = {"one " + kHostile, "two"},
                      .rows = {{"row",
                                "note",
                                "target",
                                {{"held", Heat::Good, {"p99 1x"}}, {"failed", Heat::Bad, {}}}}}};
  const std::string html = draw(matrix, "title").text();
  const WellFormed read(html);
  EXPECT_EQ(std::ranges::count(read.tags(), "td"), 3) << "the corner and two cells";
  EXPECT_NE(html.find("class=\"h-good\" data-column=\"one "), std::string::npos);
  EXPECT_EQ(read.targets(), std::vector<std::string>{"#target"});
}

}  // namespace
}  // namespace cede::report
