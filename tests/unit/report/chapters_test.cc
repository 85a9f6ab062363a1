// SPDX-License-Identifier: Apache-2.0
#include "tests/report/chapters/chapters.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json.hpp>
#include <stdexcept>

#include "tests/report/parts.h"

namespace cede::report {
namespace {

namespace json = boost::json;

// A text with ' for ".
json::value from(std::string text) {
  std::ranges::replace(text, '\'', '"');
  return json::parse(text);
}

const Exhibit& exhibit(const Chapter& chapter, const std::string& title) {
  for (const Section& section : chapter.sections) {
    for (const Exhibit& one : section.exhibits) {
      if (one.title == title) return one;
    }
  }
  throw std::runtime_error("no exhibit is called " + title);
}

TEST(Chapters, EveryReaderRefusesWhatItDoesNotKnow) {
  for (const char* stranger :
       {"null", "[]", "{}", "7", "{'workloads': 3, 'rows': {}, 'cells': 'x'}",
        "{'attacks': [null], 'steps': [{}], 'block': []}"}) {
    for (const Part& part : all_parts()) {
      EXPECT_THROW((void)part.read(from(stranger)), std::runtime_error) << part.name << stranger;
    }
  }
}

const char* const kDisks = R"({'machine': 'a machine', 'repetitions': 3, 'sample_seconds': 1,
  'workloads': [{'name': 'randread-4k-qd32',
    'systems': [{'name': 'raw', 'samples': [{'iops': 10, 'p99_us': 3}, {'iops': 30}, {'iops': 20}]},
                {'name': 'unheard-of', 'samples': []}],
    'ratios': [{'over': 'library', 'under': 'raw', 'median': 0.9, 'min': 0.8, 'max': 1}]}],
  'goals': [{'goal': 'randread-4k-qd32: library at least 0.70 of raw', 'met': true,
             'ratio': {'over': 'library', 'under': 'raw', 'median': 0.9}}]})";

TEST(Chapters, DisksAreMediansWithTheirSpread) {
  const Chapter chapter = read_block(from(kDisks));
  EXPECT_EQ(chapter.machine, "a machine");
  const Bars& bars = std::get<Bars>(exhibit(chapter, "4 KiB, 32 in flight").what);
  ASSERT_EQ(bars.groups.size(), 1U);
  EXPECT_EQ(bars.groups[0].name, "random read");
  ASSERT_EQ(bars.groups[0].bars.size(), 1U) << "a system without samples has no bar";
  EXPECT_EQ(bars.groups[0].bars[0].value.median, 20);
  EXPECT_EQ(bars.groups[0].bars[0].value.least, 10);
  EXPECT_EQ(bars.groups[0].bars[0].value.most, 30);
}

TEST(Chapters, DisksTellOfTheirGoals) {
  const Chapter chapter = read_block(from(kDisks));
  ASSERT_EQ(chapter.headlines.size(), 1U);
  EXPECT_EQ(chapter.headlines[0].name,
            "Cede library / raw io_uring, random read, 4 KiB, 32 in flight");
  EXPECT_EQ(chapter.headlines[0].note, "library at least 0.70 of raw");
  EXPECT_EQ(chapter.headlines[0].judgement, Judgement::Good);
}

TEST(Chapters, NetworksTellWhatWasNotMet) {
  const Chapter chapter = read_net(from(R"({'workloads': [{'name': 'tcp',
    'systems': [{'name': 'cede', 'samples': [{'rate': 2e9, 'seconds': 2,
                 'cpu': [{'process': 'load', 'seconds': 1}, {'process': 'switch', 'seconds': 1}]}]}],
    'ratios': [{'over': 'cede', 'under': 'bridge', 'median': 0.5, 'goal': 0.6, 'met': false}]}]})"));
  ASSERT_EQ(chapter.headlines.size(), 1U);
  EXPECT_EQ(chapter.headlines[0].judgement, Judgement::Bad);
  const Bars& cost = std::get<Bars>(exhibit(chapter, "One TCP connection: for a gigabyte").what);
  EXPECT_DOUBLE_EQ(cost.groups[0].bars[0].value.median, 4) << "2 s for half a gigabyte";
}

TEST(Chapters, RecoveryHasAPlotForEachKindOfRow) {
  const Chapter chapter = read_recovery(from(R"({'rows': [
    {'workload': 'crash', 'system': 'process', 'unit': 'ms', 'median': 130, 'min': 120, 'max': 140},
    {'workload': 'crash', 'system': 'vm', 'unit': 'ms', 'median': 3000, 'min': 2000, 'max': 4000},
    {'workload': 'churn-1', 'system': 'broker', 'unit': 'per s', 'median': 500}]})"));
  const Bars& pause = std::get<Bars>(exhibit(chapter, "What a guest notices").what);
  ASSERT_EQ(pause.groups.size(), 1U);
  EXPECT_EQ(pause.groups[0].bars.size(), 2U);
  const Bars& churn = std::get<Bars>(exhibit(chapter, "Sessions that come and go").what);
  EXPECT_EQ(churn.unit, "/s");
}

TEST(Chapters, ScaleDrawsFiguresThatItHasNeverHeardOf) {
  const Chapter chapter = read_scale(from(R"({'steps': [
    {'sessions': 1, 'figures': {'iops': {'median': 5, 'min': 4, 'max': 6}, 'novelty': 3}},
    {'sessions': 256, 'figures': {'idle_driver_wakeups_per_second': 2, 'novelty': [1, 2, 3]}}],
    'idle_memory': [{'policy': 'donated', 'client_kib': 1024, 'driver_kib': 0, 'wrong_reads': 0}]})"));
  const Lines& novelty = std::get<Lines>(exhibit(chapter, "novelty").what);
  ASSERT_EQ(novelty.series[0].points.size(), 2U);
  EXPECT_EQ(novelty.series[0].points[1].y.most, 3);
  ASSERT_FALSE(chapter.headlines.empty());
  EXPECT_EQ(chapter.headlines[0].judgement, Judgement::Bad) << "an idle driver woke up";
  const Table& idle =
      std::get<Table>(exhibit(chapter, "Whom the kernel charges, for each idle session").what);
  EXPECT_EQ(idle.rows.front().front(), "donated");
  EXPECT_EQ(idle.rows.front().back(), "right");
}

TEST(Chapters, RingsCompareSamplesOfOneNearnessOnly) {
  const Chapter chapter = read_ring(from(R"({'cells': [{'name': 'threads/spin/64B/1of1',
    'slot_bytes': 64, 'batch': 1, 'window': 1, 'compared_when': 'near', 'contenders': [
      {'name': 'cede', 'samples': [{'rate': 100, 'nearness': 'near'}, {'rate': 900, 'nearness': 'apart'}]},
      {'name': 'xen', 'samples': [{'rate': 50, 'nearness': 'near'}]},
      {'name': 'floor', 'samples': [{'rate': 500, 'nearness': 'near'}]}]}]})"));
  const Matrix& rates = std::get<Matrix>(exhibit(chapter, "Round trips a second").what);
  ASSERT_EQ(rates.rows.size(), 1U);
  EXPECT_EQ(rates.rows[0].cells[0].text, "100\u00a0/s");
  EXPECT_EQ(rates.rows[0].cells[0].heat, Heat::Good) << "the floor is no ring";
  EXPECT_EQ(rates.rows[0].cells[1].heat, Heat::Poor);
}

const char* const kAttacks = R"({'attacks': [
  {'name': 'a b', 'family': 'rings', 'role': 'client', 'source': 'XSA-39', 'does': 'harm', 'runs': [
    {'system': 'donated', 'verdict': 'held', 'pages_unaccounted': 0, 'cut_off_ms': null,
     'victim': {'block': {'before': {'p99_us': 100}, 'during': {'p99_us': 150}},
                'net': {'before': {'p99_us': 10}, 'during': {'p99_us': 40}}},
     'driver': {'alive': true, 'rss_kib': [1000, 3048, 1000]},
     'broker': {'alive': true, 'rss_kib': [1000, 1000, 1000]}},
    {'system': 'revocable', 'verdict': 'failed', 'why': ['it stalls'], 'driver': {'alive': false}},
    {'system': 'dpdk-net_vhost', 'verdict': 'not applicable'}]},
  {'name': 'c', 'runs': [{'system': 'donated', 'verdict': 'slowed'}]}]})";

TEST(Chapters, TheMatrixTellsWhatAVictimNotices) {
  const Chapter chapter = read_attack(from(kAttacks));
  const Matrix& matrix = std::get<Matrix>(exhibit(chapter, "Attacks and systems").what);
  ASSERT_EQ(matrix.columns.size(), 3U);
  ASSERT_EQ(matrix.rows.size(), 2U);
  const MatrixCell& held = matrix.rows[0].cells[0];
  EXPECT_EQ(held.heat, Heat::Good);
  EXPECT_EQ(held.notes, (std::vector<std::string>{"p99 4\u00d7", "+2\u00a0MiB"}));
  EXPECT_EQ(matrix.rows[0].cells[1].heat, Heat::Bad);
  EXPECT_EQ(matrix.rows[0].cells[1].notes, std::vector<std::string>{"driver dead"});
  EXPECT_EQ(matrix.rows[0].cells[2].text, "not applicable");
  EXPECT_EQ(matrix.rows[1].cells[0].heat, Heat::Poor);
  EXPECT_EQ(matrix.rows[1].cells[1].text, "not run");
}

TEST(Chapters, OnlyWhatWasTriedCountsAsHeld) {
  const Chapter chapter = read_attack(from(kAttacks));
  ASSERT_EQ(chapter.headlines.size(), 3U);
  EXPECT_EQ(chapter.headlines[0].value, "1 of 2 held");
  EXPECT_TRUE(chapter.headlines[0].note.starts_with("1 slow the victim, 0 do other harm"));
  EXPECT_EQ(chapter.headlines[0].judgement, Judgement::Bad);
  EXPECT_EQ(chapter.headlines[2].value, "0 of 0 held");
  EXPECT_EQ(chapter.headlines[2].judgement, Judgement::None);
}

TEST(Chapters, DriverVmsAreADiskAndANetwork) {
  json::object both{{"block", from(kDisks)}};
  const Chapter chapter = read_vm(both);
  ASSERT_FALSE(chapter.sections.empty());
  EXPECT_EQ(chapter.sections[0].title, "Disk: Operations");
  ASSERT_EQ(chapter.headlines.size(), 1U);
  EXPECT_EQ(chapter.headlines[0].value, "0.9\u00d7 to 0.9\u00d7");
}

}  // namespace
}  // namespace cede::report
