// SPDX-License-Identifier: Apache-2.0
// What the supervisor keeps of its domains' rights, and what is left of a system without root.
#include "tests/unit/supervisor/system_fixture.h"

namespace cede::supervisor {
namespace {

class PrivilegeTest : public SystemTest {
 protected:
  // What a descriptor of a process is: "socket:[12345]".
  static std::string descriptor(pid_t pid, const std::string& fd) {
    std::error_code error;
    return fs::read_symlink(fmt::format("/proc/{}/fd/{}", pid, fd), error);
  }
  static std::string capability_of(pid_t pid) {
    std::ifstream command(fmt::format("/proc/{}/cmdline", pid));
    for (std::string word; std::getline(command, word, '\0');) {
      if (word == "--capability" && std::getline(command, word, '\0')) return descriptor(pid, word);
    }
    return {};
  }
};

// As a user who owns the disk and the runtime directory and nothing else.
class WithoutRootTest : public SystemTest {
 protected:
  void SetUp() override {
    // The build folder may be out of that user's reach.
    const fs::path programs = directory_.path() / "programs";
    fs::create_directory(programs);
    for (const char* program : {CEDE_PROGRAMS}) {
      fs::copy_file(program, programs / fs::path(program).filename());
    }
    cede_ = programs / "cede";
    for (const fs::path& path : {directory_.path(), directory_.path() / "disk.img"}) {
      ASSERT_EQ(::chown(path.c_str(), kNobody, kNobody), 0);
    }
  }
  static Outcome run(const std::string& limits, const std::string& command) {
    return shell(fmt::format("{} setpriv --reuid {} --regid {} --clear-groups {}", limits, kNobody,
                             kNobody, command));
  }
  [[nodiscard]] Outcome up_with(const std::string& locked_bytes) const {
    return run("prlimit --memlock=" + locked_bytes, cede_ + " up " + description_.string());
  }

  static constexpr uid_t kNobody = 65534;
  std::string cede_;
};

TEST_F(WithoutRootTest, ItWorksAndSaysWhatIsMissing) {
  describe({.region = "1M"});
  const Outcome outcome = up_with("4194304");
  ASSERT_EQ(outcome.code, 0) << outcome.text << logs();
  EXPECT_NE(outcome.text.find("WARNING: no memory cgroup ("), std::string::npos) << outcome.text;
  EXPECT_NE(outcome.text.find(
                "): clients are not charged, and a client that pins pages keeps them unseen\n"),
            std::string::npos)
      << outcome.text;
  EXPECT_EQ(outcome.text.find("processor shares"), std::string::npos) << "nobody asked for them";
  remember_processes();
  EXPECT_EQ(session("alice").at("proof"), "word");
  ::kill(pid_of("disk0"), SIGKILL);
  EXPECT_TRUE(eventually([&] {
    return has_lived("disk0", 2) && is_connected("alice") && is_connected("bob");
  })) << logs();
  EXPECT_TRUE(is_balanced());
  down();
}

TEST_F(WithoutRootTest, SharesThatWereAskedForAreMissed) {
  describe({.region = "1M", .bob = "cpu_limit = 50"});
  const Outcome outcome = up_with("4194304");
  ASSERT_EQ(outcome.code, 0) << outcome.text << logs();
  EXPECT_NE(outcome.text.find("WARNING: no processor shares ("), std::string::npos) << outcome.text;
  EXPECT_NE(outcome.text.find("): cpu_weight and cpu_limit do nothing\n"), std::string::npos)
      << outcome.text;
  EXPECT_EQ(domain("bob").at("cpu_cgroup"), "");
  remember_processes();
  down();
}

TEST_F(WithoutRootTest, TooLittleMemoryToLockIsOneLineThatSaysHowMuchAndWhatToDo) {
  const Outcome outcome = up_with("1048576");
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.text,
            "cede: driver 'disk0' has to lock 8M of memory, and this user may lock 1M; use smaller "
            "regions, run as root, or raise the limit (memlock in limits.conf(5))\n");
}

TEST_F(WithoutRootTest, NoRuntimeDirectoryIsOneLineThatNamesTheVariable) {
  const Outcome outcome =
      run("env -u CEDE_RUNTIME_DIR -u XDG_RUNTIME_DIR", cede_ + " up " + description_.string());
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(
      outcome.text,
      "cede: no runtime directory; set CEDE_RUNTIME_DIR or XDG_RUNTIME_DIR to one of yours\n");
}

TEST_F(PrivilegeTest, TheSupervisorKeepsNoCopyOfADomainsCapability) {
  up();
  const pid_t supervisor = pid_of("root");
  for (const char* name : {"disk0", "alice", "bob"}) {
    const std::string capability = capability_of(pid_of(name));
    EXPECT_TRUE(capability.starts_with("socket:")) << capability;
    for (const auto& entry : fs::directory_iterator(fmt::format("/proc/{}/fd", supervisor))) {
      EXPECT_NE(descriptor(supervisor, entry.path().filename()), capability) << name;
    }
  }
  down();
}

}  // namespace
}  // namespace cede::supervisor
