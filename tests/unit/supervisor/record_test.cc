// SPDX-License-Identifier: Apache-2.0
#include "vmm/supervisor/record.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

namespace cede::supervisor {
namespace {

TEST(SharedRecord, BeginsAsASystemThatStarts) {
  const SharedRecord record;
  EXPECT_EQ(record.read().phase, Record::Phase::Starting);
  EXPECT_EQ(record.read().broker, 0);
}

// A record of which every part says the same number.
Record all_of(pid_t number) {
  Record record;
  record.broker = number;
  for (Record::Domain& domain : record.domains) domain.process = number;
  for (Record::Link& link : record.links) link.grant.index = static_cast<std::uint32_t>(number);
  return record;
}

TEST(SharedRecord, IsWholeWhereverItsWriterWasKilled) {
  for (int round = 0; round < 50; ++round) {
    SharedRecord record;
    record.write(all_of(1));
    const pid_t writer = ::fork();
    if (writer == 0) {
      for (pid_t number = 2;; ++number) record.write(all_of(number));
    }
    while (record.read().broker < 3) ::usleep(100);
    ::usleep(static_cast<useconds_t>(37 * round));
    ::kill(writer, SIGKILL);
    ::waitpid(writer, nullptr, 0);
    const Record left = record.read();
    const pid_t number = left.broker;
    EXPECT_TRUE(std::ranges::all_of(
        left.domains, [=](const Record::Domain& domain) { return domain.process == number; }));
    EXPECT_TRUE(std::ranges::all_of(left.links, [=](const Record::Link& link) {
      return link.grant.index == static_cast<std::uint32_t>(number);
    }));
  }
}

}  // namespace
}  // namespace cede::supervisor
