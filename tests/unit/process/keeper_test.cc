// SPDX-License-Identifier: Apache-2.0
// A kept process dies, is started again, and finds its children and descriptors.
#include "vmm/process/keeper.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <fstream>
#include <new>

#include "vmm/process/process.h"

namespace cede {
namespace {

using std::chrono_literals::operator""s;

bool is_alive(pid_t pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string id, name, state;
  return stat >> id >> name >> state && state != "Z";
}

// What the lives of a kept process, and the test, tell each other.
struct Notes {
  std::atomic<pid_t> child;
  std::atomic<pid_t> other;
};

class KeeperTest : public testing::Test {
 protected:
  KeeperTest()
      : notes_(new (::mmap(nullptr, sizeof(Notes), PROT_READ | PROT_WRITE,
                           MAP_SHARED | MAP_ANONYMOUS, -1, 0)) Notes{}) {}
  ~KeeperTest() override { ::munmap(notes_, sizeof(Notes)); }

  [[noreturn]] static void die() {
    (void)std::raise(SIGKILL);
    ::_exit(99);
  }
  static Launch sleeper(KeeperLink& keeper) {
    Launch launch{.arguments = {"sleep", "600"}};
    launch.keeper = &keeper;
    return launch;
  }

  Notes* notes_;
};

TEST_F(KeeperTest, ReturnsWhatTheKeptProcessDoes) {
  EXPECT_EQ(keep([](KeeperLink&, unsigned life) { return static_cast<int>(40 + life); }), 41);
}

TEST_F(KeeperTest, StartsAgainWhatASignalEnded) {
  EXPECT_EQ(keep([](KeeperLink&, unsigned life) {
              if (life < 3) die();
              return static_cast<int>(life);
            }),
            3);
}

TEST_F(KeeperTest, AChildLivesOnAndTellsItsEndToALaterLife) {
  const int result = keep([&](KeeperLink& keeper, unsigned life) {
    if (life == 1) {
      Process child = Process::start(sleeper(keeper));
      notes_->child = child.pid();
      die();
    }
    Process child = Process::adopt(notes_->child, keeper);
    if (!child.running() || !is_alive(child.pid())) return 1;
    child.signal(SIGTERM);
    return child.wait(60s) == 128 + SIGTERM ? 0 : 2;
  });
  EXPECT_EQ(result, 0);
}

TEST_F(KeeperTest, AChildOfItsOwnExitsWithItsCode) {
  const int result = keep([](KeeperLink& keeper, unsigned) {
    Launch launch{.arguments = {"sh", "-c", "exit 7"}};
    launch.keeper = &keeper;
    return Process::start(launch).wait(60s).value_or(0);
  });
  EXPECT_EQ(result, 7);
}

TEST_F(KeeperTest, WhatIsNoChildIsNotAdopted) {
  const int result = keep([](KeeperLink& keeper, unsigned) {
    return Process::adopt(::getpid() == 1 ? 2 : 1, keeper).running() ||
                   Process::adopt(0, keeper).running()
               ? 1
               : 0;
  });
  EXPECT_EQ(result, 0);
}

TEST_F(KeeperTest, AnUnknownChildIsFound) {
  const int result = keep([](KeeperLink& keeper, unsigned life) {
    if (life == 1) {
      Process child = Process::start(sleeper(keeper));
      die();
    }
    return static_cast<int>(keeper.children().size());
  });
  EXPECT_EQ(result, 1);
}

TEST_F(KeeperTest, ADescriptorIsKeptUnderItsNameAndTheLastOneCounts) {
  const int result = keep([](KeeperLink& keeper, unsigned life) {
    if (life == 1) {
      for (const char* text : {"first", "second"}) {
        const Fd file(::memfd_create("note", MFD_CLOEXEC));
        (void)!::write(file.get(), text, 6);
        keeper.keep("note", file.get());
      }
      die();
    }
    std::array<char, 16> text{};
    const Fd file = keeper.take("note");
    if (!file || keeper.take("note") || keeper.take("other")) return 1;
    (void)!::pread(file.get(), text.data(), text.size() - 1, 0);
    if (life == 2) die();  // which has taken it, and it is there for the next
    return std::string_view(text.data()).starts_with("second") ? 0 : 2;
  });
  EXPECT_EQ(result, 0);
}

TEST_F(KeeperTest, ChildrenEndWithTheKeptProcessThatLeavesThem) {
  const int result = keep([&](KeeperLink& keeper, unsigned) {
    static Process child;  // lives on at the end of the work
    child = Process::start(sleeper(keeper));
    notes_->child = child.pid();
    return 0;
  });
  EXPECT_EQ(result, 0);
  EXPECT_FALSE(is_alive(notes_->child));
}

TEST_F(KeeperTest, WithTheKeeperKilledEverythingEnds) {
  const pid_t keeper_process = ::fork();
  if (keeper_process == 0) {
    ::_exit(keep([&](KeeperLink& keeper, unsigned) {
      const Process child = Process::start(sleeper(keeper));
      notes_->child = child.pid();
      notes_->other = ::getpid();
      ::pause();
      return 0;
    }));
  }
  while (notes_->other == 0) ::usleep(1000);
  ::kill(keeper_process, SIGKILL);
  ::waitpid(keeper_process, nullptr, 0);
  for (int i = 0; i < 6000 && (is_alive(notes_->child) || is_alive(notes_->other)); ++i) {
    ::usleep(10'000);
  }
  EXPECT_FALSE(is_alive(notes_->child));
  EXPECT_FALSE(is_alive(notes_->other));
}

TEST_F(KeeperTest, ASignalToTheKeeperReachesTheKeptProcessAlsoBetweenTwoLives) {
  const int result = keep([&](KeeperLink&, unsigned life) {
    if (life == 1) {
      ::kill(::getppid(), SIGINT);
      die();
    }
    sigset_t term;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    int got = 0;
    ::sigwait(&term, &got);
    return got;
  });
  EXPECT_EQ(result, SIGTERM);
}

}  // namespace
}  // namespace cede
