// SPDX-License-Identifier: Apache-2.0
// A broker, a client and a driver with one device, in both ways to prove that pages are free.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <string>

#include "tests/support/broker_process.h"

namespace cede::test {

enum class Proof { Cgroup, Word };

class BrokerTest : public testing::TestWithParam<Proof> {
 protected:
  static constexpr std::uint32_t kBudget = 100000;
  static constexpr std::uint32_t kClientPages = 20000;

  void SetUp() override {
    if (GetParam() == Proof::Cgroup && cgroup_.path().empty()) {
      GTEST_SKIP() << "no memory controller that this user may write to";
    }
    start({});
  }
  void TearDown() override {
    if (broker_ == nullptr || !broker_->running()) return;
    // Whatever the test did: with everybody gone, every page is home and no directory is left.
    client_.reset();
    driver_.reset();
    broker_->close_root();
    EXPECT_EQ(broker_->wait_for_exit(), 0);
    EXPECT_TRUE(cgroup_is_empty());
  }

  // Starts the broker (anew) with further arguments, and makes client, driver and grant.
  void start(std::vector<std::string> more) {
    client_.reset();
    driver_.reset();
    broker_.reset();
    broker_ = std::make_unique<BrokerProcess>(BrokerProcess::Options{
        kBudget, GetParam() == Proof::Cgroup ? cgroup_.path() : std::string(), std::move(more)});
    client_ = std::make_unique<Domain>(root().create_child(kClientPages, "alice"));
    driver_ = std::make_unique<Domain>(root().create_child(0, "disk"));
    grant_ = root().grant(*client_, *driver_, 7, "alice/vda");
  }

  [[nodiscard]] Domain& root() { return broker_->root(); }

  [[nodiscard]] std::string cgroup_of(const Domain& domain) const {
    return cgroup_.path() + "/" + std::to_string(domain.handle().index) + "-" +
           std::to_string(domain.handle().generation);
  }
  [[nodiscard]] std::string cgroup_of(const Domain& domain, Handle session) const {
    return cgroup_of(domain) + "/session-" + std::to_string(session.index) + "-" +
           std::to_string(session.generation);
  }
  [[nodiscard]] static std::uint64_t shmem_of(const std::string& dir) {
    std::ifstream file(dir + "/memory.stat");
    std::string name;
    std::uint64_t figure = 0;
    while (file >> name >> figure) {
      if (name == "shmem") return figure;
    }
    return 0;
  }
  [[nodiscard]] bool cgroup_is_empty() const {
    struct stat status {};
    return cgroup_.path().empty() ||
           (::stat(cgroup_.path().c_str(), &status) == 0 && status.st_nlink == 2);
  }
  // Both sides say that they hold nothing; whether they do is the test's business.
  void say_released(Handle session) {
    ASSERT_EQ(client_->status_of(MessageType::Close, session), Status::Ok);
    ASSERT_EQ(driver_->status_of(MessageType::Release, session), Status::Ok);
    ASSERT_EQ(client_->status_of(MessageType::Release, session), Status::Ok);
  }
  // Every page of the client's is in its account, and no session is left.
  [[nodiscard]] bool all_home() {
    return eventually([this] { return root().sessions() == 0; }) && root().total() == kBudget;
  }

  TestCgroup cgroup_;
  std::unique_ptr<BrokerProcess> broker_;
  std::unique_ptr<Domain> client_;
  std::unique_ptr<Domain> driver_;
  Handle grant_;
};

inline std::string proof_name(const testing::TestParamInfo<Proof>& proof) {
  return proof.param == Proof::Cgroup ? "cgroup" : "word";
}

}  // namespace cede::test
