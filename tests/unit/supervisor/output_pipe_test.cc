// SPDX-License-Identifier: Apache-2.0
#include "vmm/supervisor/output_pipe.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/unit/supervisor/support.h"

namespace cede::supervisor {
namespace {

using std::chrono::milliseconds;

TEST(OutputPipe, DeliversWhatChildrenWrite) {
  EventLoop loop;
  std::string got;
  OutputPipe pipe(loop, make_pipe(), [&](std::string_view text) { got += text; });
  ASSERT_EQ(::write(pipe.write_end(), "hello", 5), 5);
  EXPECT_TRUE(loop.poll_until([&] { return got == "hello"; }, milliseconds(5000)));
}

TEST(BoundedLog, NeverHoldsMoreThanTwoFilesOfItsLimit) {
  const TemporaryDirectory directory;
  BoundedLog log(directory.path() / "x.log");
  const std::string line(1023, 'x');
  for (int i = 0; i < 5000; ++i) log.append(line + '\n');
  std::uintmax_t total = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory.path())) {
    EXPECT_LE(entry.file_size(), BoundedLog::kMaxBytes);
    total += entry.file_size();
  }
  EXPECT_GT(total, BoundedLog::kMaxBytes);
  EXPECT_LE(total, 2 * BoundedLog::kMaxBytes);
}

TEST(BoundedLog, RemembersTheLastLineMadeSafe) {
  const TemporaryDirectory directory;
  BoundedLog log(directory.path() / "x.log");
  log.append("first\nsec");
  EXPECT_EQ(log.last_line(), "first");
  log.append("ond \x1b[31m\n\n");
  EXPECT_EQ(log.last_line(), "second ?[31m");
  log.append(std::string(100'000, 'y') + '\n');
  EXPECT_LE(log.last_line().size(), 300U);
}

TEST(BoundedLog, AnUnwritablePathIsNoReasonToStop) {
  BoundedLog log("/nonexistent/x.log");
  log.append("words\n");
  EXPECT_EQ(log.last_line(), "words");
}

TEST(RecentLines, KeepsAFewLinesOfBoundedLength) {
  RecentLines recent;
  for (int i = 0; i < 100; ++i) recent.append(std::to_string(i) + '\n');
  ASSERT_EQ(recent.lines().size(), RecentLines::kMaxLines);
  EXPECT_EQ(recent.lines().back(), "99");
  for (int i = 0; i < 1000; ++i) recent.append(std::string(1000, 'z'));
  recent.append("\n");
  EXPECT_EQ(recent.lines().back().size(), RecentLines::kMaxLineBytes);
}

TEST(RecentLines, TheirTextMakesAnotherTheSame) {
  RecentLines recent;
  recent.append("one\n\ntwo\nthr");
  RecentLines other;
  other.append(recent.text());
  other.append("ee\n");
  EXPECT_EQ(other.lines(), (std::deque<std::string>{"one", "", "two", "three"}));
}

}  // namespace
}  // namespace cede::supervisor
