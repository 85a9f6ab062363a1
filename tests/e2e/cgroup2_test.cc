// SPDX-License-Identifier: Apache-2.0
// The broker's own tests once more, and those of the processor shares, on the unified hierarchy and
// on the distribution's kernel: in a guest, since a host has one version of a controller only.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <optional>
#include <string>

#include "tests/support/guest_images.h"
#include "tests/support/temporary_directory.h"
#include "vmm/qemu/guest_vm.h"

namespace cede::qemu {
namespace {

using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace)

class Cgroup2 : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string initrd = directory_.path("initramfs.cpio.gz");
    std::string pack = CEDE_IMAGES_APPEND " " + test::guest_initrd() + " " + initrd;
    for (const char* program :
         {CEDE_BROKER_TEST, CEDE_BROKER_PARTS_TEST, CEDE_SYSTEM_TEST, CEDE_PROGRAMS}) {
      // The guest mounts file systems of its own on some places where builds happen.
      pack += std::string(" ") + program + "=/programs" + program;
    }
    ASSERT_EQ(std::system(pack.c_str()), 0);  // NOLINT(concurrency-mt-unsafe,cert-env33-c)

    GuestOptions options;
    options.kernel = test::guest_kernel();
    options.initrd = initrd;
    options.memory_bytes = 512UL << 20;
    options.run_directory = directory_.path("run");
    std::string problem;
    auto guest = GuestVm::start(options, &problem);
    ASSERT_TRUE(guest) << problem;
    guest_ = std::move(*guest);
    ASSERT_EQ(guest_->wait_ready(120s), Status::Ok) << guest_->console_log();
    run("cp -r /programs/* /");
    run("mount -t cgroup2 none /sys/fs/cgroup && echo +memory "
        ">/sys/fs/cgroup/cgroup.subtree_control");
  }
  // The command's output; it has to succeed.
  std::string run(const std::string& command) {
    const Result<CommandResult> result = guest_->run(command, 200s);
    EXPECT_TRUE(result) << command;
    if (!result) return {};
    EXPECT_EQ(result->exit_status, 0) << command << ":\n" << result->output;
    return result->output;
  }

  test::TemporaryDirectory directory_;
  std::optional<GuestVm> guest_;
};

TEST_F(Cgroup2, ChargesTheClientAndProvesReleaseOnTheUnifiedHierarchy) {
  EXPECT_NE(run("cat /sys/fs/cgroup/cgroup.controllers").find("memory"), std::string::npos);
  const std::string whole = run(CEDE_BROKER_TEST " --gtest_filter='*/cgroup:-*/word' 2>/dev/null");
  EXPECT_NE(whole.find("PASSED"), std::string::npos);
  EXPECT_EQ(whole.find("SKIPPED"), std::string::npos) << whole;
  const std::string parts = run(CEDE_BROKER_PARTS_TEST " 2>/dev/null");
  EXPECT_EQ(parts.find("SKIPPED"), std::string::npos) << parts;
  EXPECT_EQ(run("ls -d /sys/fs/cgroup/cede* 2>/dev/null || true"), "") << "cgroups are left";
}

TEST_F(Cgroup2, SharesTheProcessorsOutOnTheUnifiedHierarchy) {
  const std::string shares =
      run(CEDE_SYSTEM_TEST " --gtest_filter='ProcessorSharesTest.*:SpinningTest.*' 2>&1");
  EXPECT_NE(shares.find("PASSED  ] 3 tests"), std::string::npos) << shares;
}

}  // namespace
}  // namespace cede::qemu
