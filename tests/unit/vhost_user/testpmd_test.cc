// SPDX-License-Identifier: Apache-2.0
// DPDK's testpmd with its virtio_user driver, a client that nobody here wrote: two ports of it on
// two ports of one cede-frontend, and behind them a switch in the test that passes everything on.
// Frames that testpmd sends on one port come back on the other, and so on for ever.
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include "tests/support/stub_switch.h"
#include "tests/unit/vhost_user/frontend_process.h"

namespace cede::test {
namespace {

struct Layout {
  const char* name;
  const char* arguments;  // of virtio_user
};

class Testpmd : public testing::TestWithParam<Layout> {
 protected:
  static constexpr std::uint16_t kPairs = 2;

  Testpmd() : switch_(net::port_geometry(kPairs, net::kSlots)) {
    std::vector<std::string> arguments;
    for (const std::string port : {"0", "1"}) {
      arguments.emplace_back("--device");
      arguments.push_back("class=net,name=eth" + port + ",queues=" + std::to_string(kPairs) +
                          ",socket=" + socket(port));
    }
    frontend_ = Process::start(
        {.arguments = frontend_command(broker_, arguments), .inherited = {broker_.child_fd()}});
    broker_.drop_child_fd();
    for (std::uint32_t i = 0; i < 2; ++i) {
      broker_.grant("eth" + std::to_string(i), i + 1);
      EXPECT_EQ(broker_.hear_connect(), net::port_geometry(kPairs, net::kSlots));
      net::Info info;
      info.mac = {{0x02, 0, 0, 0, 0, static_cast<std::uint8_t>(i + 1)}};
      info.mtu = 1500;
      info.link_up = 1;
      info.offloads = net::Offload::kAll;
      broker_.complete(switch_.port(i).parts, info);
    }
    switch_.start();
  }
  std::string socket(const std::string& port) { return directory_.path("eth" + port + ".sock"); }

  void start_testpmd(const std::string& how) {
    const std::string more = ",queues=" + std::to_string(kPairs) + ",queue_size=256" + how;
    // A shell for the redirection; it is replaced by testpmd.
    const std::string command =
        "exec dpdk-testpmd --no-huge -m 256 --no-pci --no-shconf --no-telemetry"
        " --vdev virtio_user0,path=" +
        socket("0") + more + " --vdev virtio_user1,path=" + socket("1") + more +
        " -- --forward-mode=io --tx-first --no-mlockall --total-num-mbufs=8192 --stats-period=1"
        " --rxq=" +
        std::to_string(kPairs) + " --txq=" + std::to_string(kPairs) + " --rxd=256 --txd=256 >" +
        directory_.path("output") + " 2>&1 </dev/null";
    testpmd_ = Process::start(
        {.arguments = std::vector<std::string>{"/bin/sh", "-c", command}, .inherited = {}});
  }
  std::string output() {
    std::ifstream file(directory_.path("output"));
    return {std::istreambuf_iterator<char>(file), {}};
  }
  // Both directions get on by so many frames.
  void expect_traffic(std::uint64_t frames) {
    const std::uint64_t before[] = {switch_.port(0).frames, switch_.port(1).frames};
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (switch_.port(0).frames < before[0] + frames ||
           switch_.port(1).frames < before[1] + frames) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << output();
      ASSERT_TRUE(alive(testpmd_)) << output();
      ASSERT_TRUE(alive(frontend_));
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }

  TemporaryDirectory directory_;
  StubSwitch switch_;
  PlayedBroker broker_;
  Process frontend_;
  Process testpmd_;
};

TEST_P(Testpmd, FramesGoRoundAndASecondTestpmdTakesOver) {
  for (int life = 0; life < 2; ++life) {
    start_testpmd(GetParam().arguments);
    expect_traffic(100'000);
    // Killed: the queues were never stopped.
    testpmd_.kill();
  }
  EXPECT_EQ(switch_.port(0).used_pairs, 3U) << "both queue pairs of either port carry frames";
  EXPECT_EQ(switch_.port(1).used_pairs, 3U);
}

INSTANTIATE_TEST_SUITE_P(
    , Testpmd,
    testing::Values(Layout{"Split", ""}, Layout{"SplitInOrder", ",in_order=1"},
                    Layout{"SplitUnmergeable", ",mrg_rxbuf=0"}, Layout{"Packed", ",packed_vq=1"},
                    Layout{"PackedInOrder", ",packed_vq=1,in_order=1"},
                    Layout{"PackedUnmergeable", ",packed_vq=1,in_order=1,mrg_rxbuf=0"}),
    [](const auto& one) { return one.param.name; });

}  // namespace
}  // namespace cede::test
