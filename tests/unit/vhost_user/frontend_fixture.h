// SPDX-License-Identifier: Apache-2.0
// The real cede-frontend, sandboxed, with a broker and a backend that the test plays.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/support/echo_backend.h"
#include "tests/unit/vhost_user/frontend_process.h"

namespace cede::test {

class FrontendFixture : public testing::Test {
 protected:
  static constexpr std::size_t kDiskBytes = 8U << 20;

  void start(const std::vector<std::string>& more = {}, const std::string& shape = "",
             std::vector<int> inherited = {}) {
    std::vector<std::string> arguments = {"--device", "name=vda,socket=" + socket_path() + shape};
    arguments.insert(arguments.end(), more.begin(), more.end());
    inherited.push_back(broker_.child_fd());
    process_ = Process::start(
        {.arguments = frontend_command(broker_, arguments), .inherited = std::move(inherited)});
    broker_.drop_child_fd();
  }
  void connect_session(block::Info info) {
    SessionParts parts = broker_.accept_connect();
    Result<Mapping> region = Mapping::map(parts.driver.region.get(), parts.geometry.bytes());
    ASSERT_TRUE(region);
    region_ = *std::move(region);
    backend_ = std::make_unique<EchoBackend>(parts, disk_);
    broker_.complete(parts, info);
  }
  void connect_session() { connect_session(disk_info(disk_.size())); }
  void serve(const std::string& shape = "") {
    start({}, shape);
    broker_.grant("vda");
    connect_session();
  }
  // The driver dies: what it has taken stays unanswered.
  void lose_backend() {
    backend_->stop();
    disk_.assign(backend_->disk().begin(), backend_->disk().end());
  }
  void lose_session() {
    lose_backend();
    broker_.end_session(Status::Gone);
  }
  std::string socket_path() { return directory_.path("vda.sock"); }
  TemporaryDirectory directory_;
  PlayedBroker broker_;
  Process process_;
  std::unique_ptr<EchoBackend> backend_;
  Mapping region_;  // of the last session, for a driver that misbehaves
  std::vector<std::byte> disk_ = std::vector<std::byte>(kDiskBytes);
};

}  // namespace cede::test
