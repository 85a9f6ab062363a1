// SPDX-License-Identifier: Apache-2.0
// The sandbox is really on. Needs root: it looks into a process that hides from others.
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/unit/driver/driver_process.h"
#include "tests/unit/driver/requests.h"

namespace cede::test {
namespace {

class DriverSandbox : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  }
  // Up and serving, so past its set-up.
  void serve() {
    auto [session, info, client] = driver_->connect(0);
    ASSERT_EQ(client->run(read_request(*client, 0, 0, 4096)), VIRTIO_BLK_S_OK);
  }
  void start(const std::vector<std::string>& options) {
    driver_ = std::make_unique<DriverProcess>(image_.path(),
                                              std::vector<std::string>{"device=0,name=a"}, options);
    serve();
  }
  [[nodiscard]] std::string proc(const char* entry) const {
    return "/proc/" + std::to_string(driver_->pid()) + "/" + entry;
  }

  Image image_{"/dev/shm", 1 << 20};
  std::unique_ptr<DriverProcess> driver_;
};

TEST_F(DriverSandbox, NoPrivilegeNoCapabilityNoFileSystemNoNetwork) {
  start({"--uid", "65534", "--gid", "65533"});
  EXPECT_EQ(driver_->status_field("Seccomp"), "2");
  EXPECT_EQ(driver_->status_field("NoNewPrivs"), "1");
  EXPECT_EQ(driver_->status_field("Uid"), "65534\t65534\t65534\t65534");
  EXPECT_EQ(driver_->status_field("Gid"), "65533\t65533\t65533\t65533");
  EXPECT_EQ(driver_->status_field("Groups"), "");
  EXPECT_EQ(driver_->status_field("CapEff"), "0000000000000000");
  EXPECT_EQ(driver_->status_field("CapPrm"), "0000000000000000");
  EXPECT_TRUE(std::filesystem::is_empty(proc("root")));
  for (const char* space : {"ns/net", "ns/mnt", "ns/ipc"}) {
    EXPECT_NE(std::filesystem::read_symlink(proc(space)),
              std::filesystem::read_symlink(std::string("/proc/self/") + space));
  }
  EXPECT_EQ(driver_->hang_up(), 0);
}

// A process that is not dumpable has its /proc entries owned by root.
TEST_F(DriverSandbox, ProcessesOfTheSameUserCannotLookInside) {
  start({"--uid", "65534", "--gid", "65534"});
  struct stat status {};
  ASSERT_EQ(::stat(proc("environ").c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, 0U);
}

TEST_F(DriverSandbox, RegionsArePinned) {
  start({});
  const auto pinned = [this] { return std::stoul(driver_->status_field("VmPin")); };
  const unsigned long before = pinned();
  SessionParts parts =
      make_session_parts({.pages = 1024, .rings = 1, .slot_bytes = 32, .slots = 32});
  driver_->send(MessageType::Closing, {.index = 1, .generation = 1});
  driver_->expect(MessageType::Release, {.index = 1, .generation = 1});
  const unsigned long without = pinned();
  EXPECT_LT(without, before);
  const Handle session = driver_->new_session();
  driver_->offer(session, 0, parts);
  driver_->expect(MessageType::Mapped, session);
  EXPECT_EQ(pinned(), without + 4096);
}

TEST_F(DriverSandbox, WithoutASandboxItSaysSo) {
  start({"--no-sandbox"});
  EXPECT_EQ(driver_->status_field("Seccomp"), "0");
  EXPECT_NE(driver_->log().find("--no-sandbox: running with all privileges"), std::string::npos);
}

}  // namespace
}  // namespace cede::test
