// SPDX-License-Identifier: Apache-2.0
// Command lines that cannot work: one line, and a status.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/switch/switch_process.h"

namespace cede::test {
namespace {

void expect_refusal(const std::vector<std::string>& ports, const std::vector<std::string>& options,
                    const std::string& what, std::span<const int> fds = {}) {
  SwitchProcess program(ports, options, fds);
  EXPECT_EQ(program.wait(), 1);
  const std::string log = program.log();
  EXPECT_NE(log.find(what), std::string::npos) << log;
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 1) << log;
}

TEST(SwitchRefusal, AMacAddressTwice) {
  expect_refusal({port(1), "device=1,name=p2,mac=52:54:00:00:00:01"}, {},
                 "cede-switch: error: --port: p1 and p2 have the same mac; give each its own");
}

TEST(SwitchRefusal, AVlanOutOfRange) {
  expect_refusal({port(1, ",vlan=4095")}, {}, "vlan=4095 is not a number from 1 to 4094");
}

TEST(SwitchRefusal, AnUnknownOption) {
  expect_refusal({port(1)}, {"--colour", "red"}, "--colour");
}

TEST(SwitchRefusal, AnUplinkThatIsNone) {
  const Fd file = checked(::memfd_create("no-uplink", MFD_CLOEXEC));
  const int fds[] = {file.get()};
  const std::string number = std::to_string(file.get());
  expect_refusal({port(1)}, {"--uplink-fd", number, "--uplink", "tap"}, "not the queue of a TAP",
                 fds);
  expect_refusal({port(1)}, {"--uplink-fd", number, "--uplink", "packet", "--uplink-name", "eth0"},
                 "no packet socket", fds);
  expect_refusal({port(1)}, {"--uplink-fd", number, "--uplink", "packet"},
                 "--uplink-name NAME is missing", fds);
}

TEST(SwitchRefusal, ADescriptorThatIsNotThere) {
  expect_refusal({port(1)}, {"--uplink-fd", "77", "--uplink", "tap"},
                 "--uplink-fd 77: no such descriptor");
}

}  // namespace
}  // namespace cede::test
