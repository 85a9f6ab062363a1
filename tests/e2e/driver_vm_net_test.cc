// SPDX-License-Identifier: Apache-2.0
// A switch in a driver VM, with namespaces as its clients and a TAP as the VM's uplink.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/e2e/namespaces.h"
#include "tests/support/guest_images.h"

namespace cede::test {
namespace {

class DriverVmNet : public TwoNamespaces {
 protected:
  DriverVmNet() { kind_ = "vm"; }
};

TEST_F(DriverVmNet, ClientsReachEachOtherAndTheHost) {
  ASSERT_NO_FATAL_FAILURE(up_with_tap(driver_vm_table()));
  expect_ping(alice_, kBob);
  expect_ping(bob_, kHost);
  expect_iperf(alice_, bob_, kBob, "-t 1");
  expect_iperf(alice_, bob_, kBob, "-t 1 -u -b 5M");
  run_on_host("iperf3 -s -1 -D >/dev/null 2>&1");
  EXPECT_TRUE(eventually([&] {
    return alice_.try_run(fmt::format("timeout 60 iperf3 -c {} -t 1", kHost)).exit_status == 0;
  }));
}

TEST_F(DriverVmNet, FramesOf9000BytesPass) {
  ASSERT_NO_FATAL_FAILURE(up_with_tap("mtu = 9000\n" + driver_vm_table()));
  expect_ping(alice_, std::string("-M do -s 8972 ") + kBob);
  expect_ping(bob_, std::string("-M do -s 8972 ") + kHost);
}

TEST_F(DriverVmNet, OtherCardsAndNoCardServeToo) {
  ASSERT_NO_FATAL_FAILURE(up_with_tap(driver_vm_table() + "nic = \"vmxnet3\"\n"));
  expect_ping(alice_, kHost);
  ASSERT_TRUE(system_.down({kTap}));
  ASSERT_NO_FATAL_FAILURE(up("mtu = 1400\n" + driver_vm_table()));
  expect_ping(alice_, std::string("-M do -s 1372 ") + kBob);
}

TEST_F(DriverVmNet, ADeletedUplinkIsMadeAnewBehindQemusDescriptor) {
  ASSERT_NO_FATAL_FAILURE(up_with_tap(driver_vm_table()));
  expect_ping(alice_, kHost);
  run_on_host(fmt::format("ip link delete {}", kTap));
  expect_ping(alice_, kBob);
  expect_ping(alice_, kHost);
  expect_iperf(alice_, bob_, kBob, "-t 1");
}

TEST_F(DriverVmNet, ClientsGoOnWhenItsQemuIsKilled) {
  ASSERT_NO_FATAL_FAILURE(up_with_tap(driver_vm_table()));
  expect_ping(alice_, kBob);
  for (int i = 0; i < 2; ++i) {
    system_.kill_domain("sw0", "vm_pid");
    system_.expect_whole_again(kBootPatience);
    expect_ping(alice_, kBob);
    expect_ping(bob_, kHost);
  }
}

}  // namespace
}  // namespace cede::test
