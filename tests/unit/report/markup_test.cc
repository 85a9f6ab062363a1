// SPDX-License-Identifier: Apache-2.0
#include "tests/report/markup.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/report/quantity.h"
#include "tests/unit/report/well_formed.h"

namespace cede::report {
namespace {

const std::string kHostile = "</title><script>alert(\"1\" & '2')</script>\x01\"onload=\"x";

TEST(Markup, HostileTextStaysText) {
  Element element("title", kHostile);
  element.set("class", kHostile);
  const WellFormed read(element.text());
  EXPECT_EQ(read.tags(), std::vector<std::string>{"title"});
  EXPECT_NE(read.text().find("<script>alert(\"1\" & '2')</script>?"), std::string::npos);
}

TEST(Markup, ElementsNestInOrder) {
  Element list("ul");
  list.add(Element("li", "a")).say("b").add(Element("li", "c"));
  EXPECT_EQ(list.text(), "<ul><li>a</li>\nb<li>c</li>\n</ul>\n");
}

TEST(Markup, OnlyVoidElementsHaveNoEnd) {
  EXPECT_EQ(Element("br").text(), "<br />\n");
  EXPECT_EQ(Element("td").text(), "<td></td>\n");
}

TEST(Markup, CoordinatesHaveOneDecimal) {
  EXPECT_EQ(Element("a").set("x", 1.26).set("y", 2.0).text(), "<a x=\"1.3\" y=\"2\"></a>\n");
}

TEST(WellFormedTest, FindsFaults) {
  for (const char* fault : {"<a>", "</a>", "<a></b>", "<a b=c></a>", "<a b=\"1\" b=\"2\"></a>",
                            "<a b=\"<\"></a>", "<a>&</a>", "<a>&nbsp;</a>", "<a>\x02</a>"}) {
    EXPECT_THROW(WellFormed{fault}, std::runtime_error) << fault;
  }
}

TEST(Quantity, ThreeDigitsAndAPrefix) {
  EXPECT_EQ(quantity(854'600, "/s"), "855\u00a0k/s");
  EXPECT_EQ(quantity(999'900, "/s"), "1\u00a0M/s");
  EXPECT_EQ(quantity(12.345e9, "bit/s"), "12.3\u00a0Gbit/s");
  EXPECT_EQ(quantity(0, "/s"), "0\u00a0/s");
  EXPECT_EQ(quantity(256, ""), "256");
}

TEST(Quantity, TimesAndMemoryChangeTheirUnit) {
  EXPECT_EQ(quantity(0.0071, "ms"), "7.1\u00a0\u00b5s");
  EXPECT_EQ(quantity(1500, "us"), "1.5\u00a0ms");
  EXPECT_EQ(quantity(0, "us"), "0\u00a0\u00b5s");
  EXPECT_EQ(quantity(90, "s"), "90\u00a0s");
  EXPECT_EQ(quantity(3072, "KiB"), "3\u00a0MiB");
  EXPECT_EQ(quantity(-2048, "KiB"), "-2\u00a0MiB");
}

TEST(Quantity, RatiosHaveNoPrefixAndNoNumberHasNoDigits) {
  EXPECT_EQ(quantity(1234, "x"), "1234\u00d7");
  EXPECT_EQ(quantity(0.014, "x"), "0.014\u00d7");
  EXPECT_EQ(quantity(std::nan(""), "us"), "-");
}

}  // namespace
}  // namespace cede::report
