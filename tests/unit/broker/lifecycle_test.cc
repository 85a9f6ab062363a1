// SPDX-License-Identifier: Apache-2.0
// The program as a whole: what it leaves behind after much work, at its end, and how it refuses to
// start.
#include <dirent.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "tests/unit/broker/broker_fixture.h"

namespace cede::test {
namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kMemoryIsKept = true;  // a sanitizer's quarantine
#elif defined(__has_feature)
constexpr bool kMemoryIsKept = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
constexpr bool kMemoryIsKept = false;
#endif

class LifecycleTest : public BrokerTest {
 protected:
  [[nodiscard]] std::ptrdiff_t descriptors() const {
    const auto dir = "/proc/" + std::to_string(broker_->pid()) + "/fd";
    return std::distance(std::filesystem::directory_iterator(dir), {});
  }
  [[nodiscard]] long resident_kib() const {
    std::ifstream status("/proc/" + std::to_string(broker_->pid()) + "/status");
    std::string word;
    long kib = -1;
    while (status >> word && word != "VmRSS:") {
    }
    status >> kib;
    return kib;
  }
  [[nodiscard]] std::ptrdiff_t directories() const {
    if (GetParam() == Proof::Word) return 0;
    std::ptrdiff_t count = 0;
    std::error_code error;  // a directory can go while we look
    for (std::filesystem::recursive_directory_iterator entry(cgroup_.path(), error), end;
         !error && entry != end; entry.increment(error)) {
      std::error_code gone;
      if (entry->is_directory(gone)) ++count;
    }
    return error ? -1 : count;
  }
};

TEST_P(LifecycleTest, TwoHundredSessionsLeaveDescriptorsMemoryAndCgroupsAsTheyWere) {
  start({"--log-level", "warn"});
  const auto once = [this] {
    close_session(*client_, *driver_,
                  connect_session(*client_, *driver_, grant_, small_geometry(256)));
  };
  for (int i = 0; i < 20; ++i) once();
  const auto descriptors_before = descriptors();
  const auto directories_before = directories();
  const long resident_before = resident_kib();
  ASSERT_GT(resident_before, 0);
  for (int i = 0; i < 200; ++i) once();
  EXPECT_EQ(descriptors(), descriptors_before);
  EXPECT_EQ(directories(), directories_before);
  EXPECT_TRUE(kMemoryIsKept || resident_kib() <= resident_before + 256) << resident_kib();
  EXPECT_TRUE(all_home());
}

TEST_P(LifecycleTest, ASidesEndsOfTheDoorbellsAreClosedAsSoonAsTheyAreSent) {
  const auto before = descriptors();
  const auto handle = client_->connect(grant_, small_geometry(256));
  ASSERT_TRUE(handle);
  SessionSide driver = accept_offer(*driver_, *handle);
  // Its Offer may be here before the broker's next line: so ask the broker something.
  (void)root().sessions();
  EXPECT_EQ(descriptors(), before + 3) << "the region, and the client's two ends";
  ASSERT_EQ(driver_->status_of(MessageType::Mapped, *handle), Status::Ok);
  SessionSide client = accept_offer(*client_, *handle);
  ASSERT_EQ(client_->status_of(MessageType::Mapped, *handle), Status::Ok);
  (void)client_->await(MessageType::Connected, *handle);
  EXPECT_EQ(descriptors(), before + 1) << "the region alone";
  close_session(*client_, *driver_,
                {*handle, small_geometry(256), std::move(driver), std::move(client)});
  EXPECT_TRUE(all_home());
  EXPECT_EQ(descriptors(), before);
}

TEST_P(LifecycleTest, AHundredDomainsComeAndGoWithoutATrace) {
  const auto descriptors_before = descriptors();
  const auto directories_before = directories();
  for (int i = 0; i < 100; ++i) (void)root().create_child(10, "mayfly");
  EXPECT_TRUE(eventually([&] {
    return descriptors() == descriptors_before && directories() == directories_before &&
           root().inspect(MessageType::InspectDomain).size() == 3;
  }));
}

TEST_P(LifecycleTest, SigtermEndsTheDomainsAndBringsEveryPageHome) {
  LiveSession session = connect_session(*client_, *driver_, grant_, small_geometry(2048));
  broker_->signal(SIGTERM);
  EXPECT_TRUE(client_->closed());
  EXPECT_TRUE(driver_->closed());
  EXPECT_TRUE(root().closed());
  if (GetParam() == Proof::Cgroup) {
    ::usleep(100000);
    EXPECT_EQ(::kill(broker_->pid(), 0), 0) << "it did not wait for the proof";
  }
  session.client.let_go();
  session.driver.let_go();
  EXPECT_EQ(broker_->wait_for_exit(), 0);
  EXPECT_TRUE(cgroup_is_empty());
}

TEST_P(LifecycleTest, ItCannotBeTracedNorGainPrivileges) {
  std::ifstream status("/proc/" + std::to_string(broker_->pid()) + "/status");
  std::string word;
  while (status >> word && word != "NoNewPrivs:") {
  }
  int no_new_privs = 0;
  status >> no_new_privs;
  EXPECT_EQ(no_new_privs, 1);
  struct stat owner {};
  const pid_t nobody = ::fork();
  if (nobody == 0) {
    if (::setresuid(65534, 65534, 65534) != 0) ::_exit(2);
    ::_exit(::open(("/proc/" + std::to_string(broker_->pid()) + "/environ").c_str(), O_RDONLY) < 0
                ? 0
                : 1);
  }
  int result = 0;
  ::waitpid(nobody, &result, 0);
  EXPECT_EQ(result, 0);
  ASSERT_EQ(::stat(("/proc/" + std::to_string(broker_->pid()) + "/fd").c_str(), &owner), 0);
  EXPECT_EQ(owner.st_uid, 0U) << "of a process that can be dumped, /proc shows its user";
}

INSTANTIATE_TEST_SUITE_P(Both, LifecycleTest, testing::Values(Proof::Cgroup, Proof::Word),
                         proof_name);

using UnprovenTest = BrokerTest;

TEST_P(UnprovenTest, PagesThatNobodyGivesBackEndItWithAnErrorInBoundedTime) {
  start({"--drain-deadline-ms", "100"});
  LiveSession session = connect_session(*client_, *driver_, grant_, small_geometry(2048));
  broker_->close_root();
  EXPECT_EQ(broker_->wait_for_exit(), 1);
  session.client.let_go();
  session.driver.let_go();
  const std::string client_dir = cgroup_of(*client_);
  (void)::rmdir(cgroup_of(*client_, session.handle).c_str());
  (void)::rmdir(client_dir.c_str());
}

INSTANTIATE_TEST_SUITE_P(Kernel, UnprovenTest, testing::Values(Proof::Cgroup), proof_name);

// Runs the program to its end; what it says, and its exit status.
std::pair<std::string, int> run_broker(const std::string& arguments) {
  FILE* output =
      ::popen((std::string(CEDE_BROKER_BINARY) + " " + arguments + " 2>&1").c_str(), "r");
  std::string text;
  std::array<char, 4096> buffer{};
  while (std::fgets(buffer.data(), buffer.size(), output) != nullptr) text += buffer.data();
  return {text, WEXITSTATUS(::pclose(output))};
}

TEST(BrokerArguments, ThatAreWrongAreNamedInOneLine) {
  struct Case {
    const char* arguments;
    const char* named;
  };
  for (const auto& [arguments, named] :
       {Case{"", "--root-fd"}, Case{"--root-fd 0", "--budget-pages"},
        Case{"--root-fd 0 --budget-pages x", "x"}, Case{"--root-fd 0 --budget-pages -5", "-5"},
        Case{"--root-fd 0 --budget-pages 5 --log-level loud", "loud"},
        Case{"--root-fd 77 --budget-pages 5", "77"},
        Case{"--root-fd 0 --budget-pages 5 </dev/null", "SOCK_SEQPACKET"}}) {
    SCOPED_TRACE(arguments);
    const auto [text, status] = run_broker(arguments);
    EXPECT_EQ(status, 1);
    EXPECT_NE(text.find(named), std::string::npos) << text;
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1) << text;
  }
}

TEST(BrokerArguments, HelpIsNoError) {
  const auto [text, status] = run_broker("--help");
  EXPECT_EQ(status, 0);
  EXPECT_NE(text.find("--budget-pages"), std::string::npos) << text;
}

TEST(BrokerArguments, ADirectoryThatIsNoCgroupIsRefused) {
  BrokerProcess broker({.budget_pages = 5, .cgroup = "/tmp"});
  EXPECT_EQ(broker.wait_for_exit(), 1);
}

}  // namespace
}  // namespace cede::test
