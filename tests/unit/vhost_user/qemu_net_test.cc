// SPDX-License-Identifier: Apache-2.0
// A real QEMU whose boot ROM (iPXE, by the rules of legacy virtio) looks for a DHCP server for
// ever.
//
// vectors=0: QEMU 7.2 crashes under TCG with vhost-user-net and MSI-X.
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "tests/support/stub_switch.h"
#include "tests/unit/vhost_user/frontend_process.h"

namespace cede::test {
namespace {

class QemuNetTest : public testing::TestWithParam<const char*> {
 protected:
  void start_frontend() {
    broker_ = PlayedBroker();
    frontend_ =
        Process::start({.arguments = frontend_command(
                            broker_, {"--device", "class=net,name=eth0,socket=" + socket()}),
                        .inherited = {broker_.child_fd()}});
    broker_.drop_child_fd();
    connect_session();
  }
  void connect_session() {
    broker_.grant("eth0");
    switch_.emplace(broker_.hear_connect());
    net::Info info;
    info.mac = {{0x02, 0, 0, 0, 0, 1}};
    info.mtu = 1500;
    info.link_up = 1;
    info.offloads = net::Offload::kAll;
    broker_.complete(switch_->port(0).parts, info);
    switch_->start();
  }
  void boot(const std::string& properties) {
    qemu_ = Process::start(
        {.arguments =
             std::vector<std::string>{
                 "qemu-system-x86_64", "-accel", "tcg", "-machine", "pc,memory-backend=memory",
                 "-m", "64", "-object", "memory-backend-memfd,id=memory,size=64M,share=on",
                 "-nodefaults", "-display", "none", "-chardev",
                 "socket,id=net,reconnect=1,path=" + socket(), "-netdev",
                 "vhost-user,id=net0,chardev=net", "-device",
                 "virtio-net-pci,netdev=net0,vectors=0,mac=02:00:00:00:00:01,bootindex=0" +
                     properties},
         .inherited = {}});
  }
  void expect_frames() {
    const std::uint64_t target = switch_->port(0).frames + 2;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(120);
    while (switch_->port(0).frames < target) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline);
      ASSERT_TRUE(alive(qemu_));
      ASSERT_TRUE(alive(frontend_));
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }
  std::string socket() { return directory_.path("eth0.sock"); }

  TemporaryDirectory directory_;
  PlayedBroker broker_;
  std::optional<StubSwitch> switch_;
  Process frontend_;
  Process qemu_;
};

TEST_P(QemuNetTest, AGuestAsksOnOverTheDeathsOfItsDriverAndItsFrontend) {
  start_frontend();
  boot(GetParam());
  expect_frames();

  switch_->stop();
  broker_.end_session(Status::Gone);
  connect_session();
  expect_frames();

  frontend_.kill();
  start_frontend();
  expect_frames();
}

INSTANTIATE_TEST_SUITE_P(, QemuNetTest, testing::Values("", ",disable-legacy=on,host_mtu=1400"),
                         [](const auto& one) { return one.index == 0 ? "Legacy" : "Modern"; });

}  // namespace
}  // namespace cede::test
