// SPDX-License-Identifier: Apache-2.0
#include "vmm/supervisor/process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <stdexcept>

namespace cede::supervisor {
namespace {

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

void wait_for_end(const Process& process) {
  pollfd poll_fd{process.pidfd(), POLLIN, 0};
  ASSERT_EQ(::poll(&poll_fd, 1, 20'000), 1);
}

TEST(Process, ReportsItsExitCode) {
  Process process = Process::start({.arguments = {"sh", "-c", "exit 7"}});
  wait_for_end(process);
  EXPECT_EQ(process.reap(), "exit 7");
  EXPECT_FALSE(process.running());
}

TEST(Process, ReportsTheSignalThatEndedIt) {
  Process process = Process::start({.arguments = {"sleep", "600"}});
  process.signal(SIGTERM);
  wait_for_end(process);
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
  Pipe output;
  const Pipe given;
  const Pipe withheld;
  ASSERT_EQ(::fcntl(withheld.in.get(), F_SETFD, 0), 0) << "as a careless parent leaves it";
  Process process =
      Process::start({.arguments = {"sh", "-c", "for f in /proc/$$/fd/*; do echo ${f##*/}; done"},
                      .inherited = {given.in.get()},
                      .output = output.out.get()});
  const std::string listed = "\n" + output.read_all();
  for (const int fd : {0, 1, 2, given.in.get()}) {
    EXPECT_NE(listed.find("\n" + std::to_string(fd) + "\n"), std::string::npos) << listed;
  }
  EXPECT_EQ(listed.find("\n" + std::to_string(withheld.in.get()) + "\n"), std::string::npos);
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

TEST(Process, RaisesLimitsAsFarAsItMay) {
  Pipe output;
  Process process = Process::start(
      {.arguments = {"sh", "-c", "ulimit -Sn"}, .output = output.out.get(), .open_files = 64});
  const std::string limit = output.read_all();
  EXPECT_TRUE(limit == "unlimited\n" || std::stoul(limit) >= 64U) << limit;
}

}  // namespace
}  // namespace cede::supervisor
