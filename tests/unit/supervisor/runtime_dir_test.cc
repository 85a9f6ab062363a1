// SPDX-License-Identifier: Apache-2.0
#include "vmm/supervisor/runtime_dir.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include "tests/unit/supervisor/support.h"

namespace cede::supervisor {
namespace {

namespace fs = std::filesystem;

class RuntimeDirTest : public testing::Test {
 protected:
  RuntimeDirTest() { ::setenv("CEDE_RUNTIME_DIR", root_.path().c_str(), 1); }
  ~RuntimeDirTest() override { ::unsetenv("CEDE_RUNTIME_DIR"); }

  static void make_socket(const fs::path& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.string().copy(address.sun_path, sizeof address.sun_path - 1);
    const Fd fd(::socket(AF_UNIX, SOCK_STREAM, 0));
    ASSERT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }

  // A supervisor that claims `demo`, does `work`, and is killed.
  template <class Work>
  static void claim_and_die(const Work& work) {
    const pid_t child = ::fork();
    if (child == 0) {
      auto dir = RuntimeDir::claim("demo");
      if (dir) work(*dir);
      ::kill(::getpid(), SIGKILL);
    }
    ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  }

  TemporaryDirectory root_;
};

TEST_F(RuntimeDirTest, OneSupervisorHoldsASystemAndNothingStaysBehind) {
  {
    const auto first = RuntimeDir::claim("demo");
    ASSERT_TRUE(first);
    EXPECT_TRUE(is_running("demo"));
    EXPECT_EQ(known_systems(), std::vector<std::string>{"demo"});
    EXPECT_FALSE(RuntimeDir::claim("demo"));
    EXPECT_TRUE(RuntimeDir::claim("other")) << "another system is not concerned";
    EXPECT_TRUE(fs::exists(first->path() / "log"));
  }
  EXPECT_FALSE(is_running("demo"));
  EXPECT_TRUE(fs::is_empty(root_.path()));
  EXPECT_TRUE(RuntimeDir::claim("demo"));
}

TEST_F(RuntimeDirTest, AKilledSupervisorsLeftoversAreRemovedByTheNextOne) {
  const fs::path outside = root_.path() / "outside.sock";
  claim_and_die([&](const RuntimeDir& dir) {
    make_socket(dir.make_client("alice", std::nullopt) / "vda.sock");
    make_socket(outside);
    dir.note(outside);
  });
  EXPECT_FALSE(is_running("demo"));
  EXPECT_EQ(known_systems(), std::vector<std::string>{"demo"});
  EXPECT_TRUE(fs::exists(outside));
  const auto next = RuntimeDir::claim("demo");
  ASSERT_TRUE(next);
  EXPECT_FALSE(fs::exists(outside));
  EXPECT_FALSE(fs::exists(next->path() / "alice"));
}

TEST_F(RuntimeDirTest, LeftoversCanBeRemovedWithoutStarting) {
  claim_and_die([](const RuntimeDir&) {});
  EXPECT_FALSE(fs::is_empty(root_.path()));
  EXPECT_TRUE(clean_leftovers("demo"));
  EXPECT_TRUE(fs::is_empty(root_.path()));
  EXPECT_TRUE(clean_leftovers("demo")) << "nothing is left to be removed";
}

TEST_F(RuntimeDirTest, ARunningSystemIsNotCleanedUp) {
  const auto running = RuntimeDir::claim("demo");
  EXPECT_FALSE(clean_leftovers("demo"));
  EXPECT_TRUE(fs::exists(running->path()));
}

TEST_F(RuntimeDirTest, AFileThatANoteNamesIsNotRemovedUnlessItIsASocket) {
  const fs::path precious = root_.file("precious", 1);
  claim_and_die([&](const RuntimeDir& dir) { dir.note(precious); });
  EXPECT_TRUE(clean_leftovers("demo"));
  EXPECT_TRUE(fs::exists(precious));
}

TEST_F(RuntimeDirTest, TheCgroupsNameTellsRuntimeRootsApart) {
  const std::string here = cgroup_name("demo");
  ::setenv("CEDE_RUNTIME_DIR", "/elsewhere", 1);
  EXPECT_NE(cgroup_name("demo"), here);
  ::setenv("CEDE_RUNTIME_DIR", "/run/cede", 1);
  EXPECT_EQ(cgroup_name("demo"), "cede-demo");
}

TEST(RuntimeRoot, WithoutAnyDirectoryItSaysWhatToSet) {
  // Root has /run/cede: be somebody else for a moment.
  const uid_t before = ::geteuid();
  if (before == 0) {
    ASSERT_EQ(::seteuid(65534), 0);
  }
  ::unsetenv("CEDE_RUNTIME_DIR");
  ::unsetenv("XDG_RUNTIME_DIR");
  EXPECT_THROW((void)runtime_root(), std::runtime_error);
  ASSERT_EQ(::seteuid(before), 0);
}

}  // namespace
}  // namespace cede::supervisor
