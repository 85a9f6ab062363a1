// SPDX-License-Identifier: Apache-2.0
// The sandbox is really on. Needs root: it looks into a process that hides from others.
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/unit/switch/frames.h"
#include "tests/unit/switch/switch_process.h"

namespace cede::test {
namespace {

TEST(SwitchSandbox, NoPrivilegeNoCapabilityNoFileSystemNoNetwork) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  SwitchProcess program({port(1)}, {"--uid", "65534", "--gid", "65533"});
  auto one = program.connect(0);
  ASSERT_EQ(one->send(small_frame(2, 1)), net::Verdict::Taken);
  EXPECT_EQ(program.status_field("Seccomp"), "2");
  EXPECT_EQ(program.status_field("NoNewPrivs"), "1");
  EXPECT_EQ(program.status_field("Uid"), "65534\t65534\t65534\t65534");
  EXPECT_EQ(program.status_field("Gid"), "65533\t65533\t65533\t65533");
  EXPECT_EQ(program.status_field("CapEff"), "0000000000000000");
  const std::string folder = "/proc/" + std::to_string(program.pid());
  EXPECT_TRUE(std::filesystem::is_empty(folder + "/root"));
  EXPECT_NE(std::filesystem::read_symlink(folder + "/ns/net"),
            std::filesystem::read_symlink("/proc/self/ns/net"));
  EXPECT_EQ(program.hang_up(), 0);
}

}  // namespace
}  // namespace cede::test
