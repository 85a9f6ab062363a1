// SPDX-License-Identifier: Apache-2.0
// What the description says of the processors, as the kernel has it and as it acts.
#include <ctime>

#include "tests/unit/supervisor/system_fixture.h"
#include "vmm/supervisor/cgroup_controller.h"

namespace cede::supervisor {
namespace {

using Seconds = std::chrono::duration<double>;

class ProcessorSharesTest : public SystemTest {
 protected:
  void SetUp() override {
    ASSERT_TRUE(controller_) << "no cpu controller";
    describe({.driver = "cpu_weight = 1000", .bob = "cpu_weight = 50\ncpu_limit = 150"});
  }

  // The directory that shares the processors out to a process.
  [[nodiscard]] fs::path place_of(pid_t pid) const {
    std::ifstream hierarchies(fmt::format("/proc/{}/cgroup", pid));
    std::string number, controllers, path;
    while (std::getline(hierarchies, number, ':') && std::getline(hierarchies, controllers, ':') &&
           std::getline(hierarchies, path)) {
      const bool has_cpu = (',' + controllers + ',').find(",cpu,") != std::string::npos;
      if (controller_->unified ? !controllers.empty() : !has_cpu) continue;
      const fs::path place = controller_->mount / path.substr(1);
      return place.filename() == "run" ? place.parent_path() : place;
    }
    return {};
  }
  // As of the unified hierarchy.
  [[nodiscard]] std::uint64_t weight_in(const fs::path& place) const {
    std::uint64_t weight = 0;
    std::ifstream(place / (controller_->unified ? "cpu.weight" : "cpu.shares")) >> weight;
    return controller_->unified ? weight : weight * 100 / 1024;
  }
  // In microseconds of 100,000; empty: none.
  [[nodiscard]] std::string limit_in(const fs::path& place) const {
    std::string limit;
    std::ifstream(place / (controller_->unified ? "cpu.max" : "cpu.cfs_quota_us")) >> limit;
    return limit == "max" || limit == "-1" ? "" : limit;
  }

  void expect_shares() const {
    const fs::path outside = place_of(::getpid());
    EXPECT_EQ(place_of(ledger().at("broker_pid").to_number<pid_t>()), outside);
    EXPECT_EQ(place_of(pid_of("root")), outside);
    struct Expected {
      const char* domain;
      std::uint64_t weight;
      const char* limit;
    };
    for (const auto& [domain, weight, limit] :
         {Expected{"disk0", 1000, ""}, {"alice", 100, ""}, {"bob", 50, "150000"}}) {
      const fs::path place = place_of(pid_of(domain));
      EXPECT_EQ(this->domain(domain).at("cpu_cgroup").as_string(), place.string());
      EXPECT_NE(place, outside);
      EXPECT_EQ(weight_in(place), weight) << domain;
      EXPECT_EQ(limit_in(place), limit) << domain;
    }
  }

  static bool has_settled(int lives) {
    return has_lived("disk0", lives) && is_connected("alice") && is_connected("bob");
  }

  std::optional<CgroupController> controller_ = find_controller("cpu");
};

// Both clients' programs do nothing but spin.
class SpinningTest : public ProcessorSharesTest {
 protected:
  void SetUp() override {
    const fs::path programs = directory_.path() / "programs";
    fs::create_directory(programs);
    for (const fs::path program : {CEDE_PROGRAMS}) {
      if (program.filename() != "cede-frontend") {
        fs::create_symlink(program, programs / program.filename());
      }
    }
    std::ofstream(programs / "cede-frontend") << "#!/bin/sh\nwhile :; do :; done\n";
    fs::permissions(programs / "cede-frontend", fs::perms::owner_all);
    ::setenv("CEDE_LIBEXEC", programs.c_str(), 1);
    describe({.alices_device = "connect = false",
              .bob = "cpu_limit = 20",
              .bobs_device = "connect = false"});
  }
  void TearDown() override { ::unsetenv("CEDE_LIBEXEC"); }

  [[nodiscard]] std::uint64_t times_held_back(pid_t pid) const {
    std::ifstream stat(place_of(pid) / "cpu.stat");
    std::uint64_t number = 0;
    for (std::string name; stat >> name >> number;) {
      if (name == "nr_throttled") return number;
    }
    ADD_FAILURE() << "no nr_throttled";
    return 0;
  }
  static Seconds processor_time(pid_t pid) {
    clockid_t clock{};
    timespec used{};
    EXPECT_EQ(::clock_getcpuclockid(pid, &clock), 0);
    EXPECT_EQ(::clock_gettime(clock, &used), 0);
    return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
  }
};

TEST_F(ProcessorSharesTest, TheKernelHasWhatTheDescriptionSays) {
  up();
  expect_shares();
  EXPECT_EQ(domain("alice").at("cpu_weight"), 100);
  EXPECT_EQ(domain("alice").at("cpu_limit"), 0);
  EXPECT_EQ(domain("bob").at("cpu_weight"), 50);
  EXPECT_EQ(domain("bob").at("cpu_limit"), 150);
  down();
}

TEST_F(ProcessorSharesTest, EveryLifeHasThem) {
  up();
  ::kill(pid_of("disk0"), SIGKILL);
  EXPECT_TRUE(eventually([] { return has_settled(2); })) << logs();
  expect_shares();
  ::kill(pid_of("root"), SIGKILL);
  EXPECT_TRUE(eventually([] { return cede("ls demo").code == 0; })) << logs();
  expect_shares();
  ::kill(ledger().at("broker_pid").to_number<pid_t>(), SIGKILL);
  EXPECT_TRUE(eventually([] { return cede("ls demo").code == 0 && has_settled(3); })) << logs();
  expect_shares();
  remember_processes();
  down();
}

TEST_F(SpinningTest, WhoeverSpinsHasItsLimitAndNoMore) {
  up();
  const pid_t bob = pid_of("bob");
  const auto begun = std::chrono::steady_clock::now();
  const Seconds before = processor_time(bob);
  std::this_thread::sleep_for(std::chrono::seconds(2));
  const Seconds used = processor_time(bob) - before;
  const Seconds passed = std::chrono::steady_clock::now() - begun;
  EXPECT_LT(used, 0.6 * passed);
  EXPECT_GT(used, Seconds::zero());
  EXPECT_GT(times_held_back(bob), 0U);
  EXPECT_EQ(times_held_back(pid_of("alice")), 0U);
  down();
}

}  // namespace
}  // namespace cede::supervisor
