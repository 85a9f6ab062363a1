// SPDX-License-Identifier: Apache-2.0
#include "vmm/process/process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <stdexcept>
#include <utility>

namespace cede {
namespace {

using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace)

constexpr auto kPatience = 20s;

struct Pipe {
  Pipe() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    in = Fd(ends[0]);
    out = Fd(ends[1]);
  }
  // Everything until the last writer is gone.
  std::string read_all() {
    out.reset();
    std::string text;
    std::array<char, 256> buffer;
    for (ssize_t got = 0; (got = ::read(in.get(), buffer.data(), buffer.size())) > 0;) {
      text.append(buffer.data(), static_cast<std::size_t>(got));
    }
    return text;
  }
  Fd in;
  Fd out;
};

// What a child prints until its end.
std::string output_of(Launch launch) {
  Pipe pipe;
  launch.output = pipe.out.get();
  const Process process = Process::start(launch);
  return pipe.read_all();
}

TEST(Process, TellsItsExitCodeOrTheSignalThatEndedIt) {
  struct Case {
    const char* script;
    int code;
    const char* text;
  };
  for (const auto& [script, code, text] :
       {Case{"exit 7", 7, "exit 7"}, {"kill -9 $$", 137, "signal 9"}, {"true", 0, "exit 0"}}) {
    Process process = Process::start({.arguments = {"sh", "-c", script}});
    EXPECT_EQ(process.wait(kPatience), code);
    EXPECT_FALSE(process.running());
    EXPECT_EQ(process.wait(0ms), code) << "ended is ended";
    EXPECT_EQ(process.reap(), text);
  }
}

TEST(Process, RunsUntilItIsToldToEnd) {
  Process process = Process::start({.arguments = {"sleep", "600"}});
  EXPECT_EQ(process.wait(0ms), std::nullopt);
  EXPECT_TRUE(process.running());
  process.signal(SIGTERM);
  EXPECT_EQ(process.reap(), "signal 15");
}

TEST(Process, AProgramThatIsNotThereIsAnErrorWithItsName) {
  try {
    (void)Process::start({.arguments = {"/none/such"}});
    FAIL() << "it started";
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "cannot start '/none/such': No such file or directory");
  }
}

TEST(Process, InheritsWhatItIsGivenAndNothingElse) {
  const Fd given(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 100));
  // As a careless parent leaves it.
  const Fd withheld(::fcntl(STDERR_FILENO, F_DUPFD, 200));  // NOLINT(android-cloexec-fcntl)
  ASSERT_EQ(given.get(), 100);
  ASSERT_TRUE(withheld);
  EXPECT_EQ(output_of({.arguments = {"ls", "/proc/self/fd"}, .inherited = {given.get()}}),
            "0\n1\n100\n2\n3\n")
      << "3 is the directory that ls reads";
  EXPECT_EQ(output_of({.arguments = {"readlink", "/proc/self/fd/0"}}), "/dev/null\n");
}

TEST(Process, HasNoBlockedOrIgnoredSignal) {
  sigset_t term;
  sigemptyset(&term);
  sigaddset(&term, SIGTERM);
  ASSERT_EQ(::pthread_sigmask(SIG_BLOCK, &term, nullptr), 0);
  const auto before = ::signal(SIGPIPE, SIG_IGN);
  const std::string status = output_of({.arguments = {"grep", "^Sig[BI]", "/proc/self/status"}});
  (void)::signal(SIGPIPE, before);
  ASSERT_EQ(::pthread_sigmask(SIG_UNBLOCK, &term, nullptr), 0);
  EXPECT_EQ(status, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

TEST(Process, DiesWithItsParent) {
  Pipe pipe;
  const pid_t parent = ::fork();
  if (parent == 0) {
    // The grandchild holds the pipe's end as long as it lives.
    Process process =
        Process::start({.arguments = {"sleep", "600"}, .inherited = {pipe.out.get()}});
    ::kill(::getpid(), SIGKILL);
    ::_exit(0);
  }
  ASSERT_EQ(::waitpid(parent, nullptr, 0), parent);
  EXPECT_EQ(pipe.read_all(), "");  // ends only if the grandchild did
}

TEST(Process, LeavesNothingBehindWhenMovedOverOrDestroyed) {
  pid_t second_pid = 0;
  {
    Process first = Process::start({.arguments = {"sleep", "600"}});
    Process second = Process::start({.arguments = {"sleep", "600"}});
    const pid_t first_pid = first.pid();
    second_pid = second.pid();
    first = std::move(second);
    EXPECT_EQ(::kill(first_pid, 0), -1);
    EXPECT_EQ(::kill(second_pid, 0), 0);
  }
  EXPECT_EQ(::kill(second_pid, 0), -1);
}

TEST(Process, RaisesLimitsAsFarAsItMay) {
  const std::string limit = output_of({.arguments = {"sh", "-c", "ulimit -Sn"}, .open_files = 64});
  EXPECT_TRUE(limit == "unlimited\n" || std::stoul(limit) >= 64U) << limit;
}

}  // namespace
}  // namespace cede
