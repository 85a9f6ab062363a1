// SPDX-License-Identifier: Apache-2.0
// A guest that the description asks for: stock QEMU, started by `cede up`, ended by `cede down`.
#include <sys/socket.h>
#include <sys/un.h>

#include "tests/support/guest_images.h"
#include "tests/unit/supervisor/system_fixture.h"
#include "vmm/qemu/command_channel.h"

namespace cede::supervisor {
namespace {

using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace)

class GuestStartTest : public SystemTest {
 protected:
  // The VM's user passes through to its client's directory.
  GuestStartTest() { fs::permissions(directory_.path(), fs::perms(0755)); }

  // The guest's shell, which QEMU has beside the client's sockets.
  [[nodiscard]] qemu::CommandChannel shell(const std::string& client) const {
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    (root_ / "demo" / client / "control.sock").string().copy(address.sun_path, 107);
    Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_TRUE(eventually([&] {
      return ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) ==
             0;
    })) << logs();
    return qemu::CommandChannel(std::move(socket));
  }
  // The VM's process, a child of the keeper.
  static pid_t vm() {
    std::ifstream children(
        fmt::format("/proc/{0}/task/{0}/children", ledger().at("keeper_pid").to_number<pid_t>()));
    for (pid_t child = 0; children >> child;) {
      std::string name;
      std::ifstream(fmt::format("/proc/{}/comm", child)) >> name;
      if (name.starts_with("qemu")) return child;
    }
    return 0;
  }
  static std::string cgroups_of(pid_t pid) {
    std::ifstream file(fmt::format("/proc/{}/cgroup", pid));
    return {std::istreambuf_iterator<char>(file), {}};
  }
};

TEST_F(GuestStartTest, BootsAsItsClientWritesItsVolumeAndEndsWithTheSystem) {
  describe({.bobs_device =
                fmt::format("[client.vm]\nkernel = \"{}\"\ninitrd = \"{}\"\nmemory = \"128M\"",
                            test::guest_kernel(), test::guest_initrd())});
  up();
  pid_t process = 0;  // the kernel may leave a child out while another ends
  ASSERT_TRUE(eventually([&] { return (process = vm()) != 0; })) << logs();
  pids_.push_back(process);
  EXPECT_EQ(fs::exists(fmt::format("/proc/{}", process)), true);
  struct stat owner {};
  ASSERT_EQ(::stat(fmt::format("/proc/{}/fd", process).c_str(), &owner), 0);
  EXPECT_EQ(domain("bob").at("uid"), owner.st_uid) << "not root, and not another client";
  EXPECT_EQ(cgroups_of(process), cgroups_of(pid_of("bob"))) << "it has no share of its own";
  {
    qemu::CommandChannel guest = shell("bob");
    ASSERT_EQ(guest.wait_ready(120s), Status::Ok) << logs();
    ASSERT_EQ(guest.submit("echo written by the guest | dd of=/dev/vda seek=8 conv=fsync; "
                           "cat /sys/block/vda/serial /sys/block/vda/size"),
              Status::Ok);
    const Result<qemu::CommandResult> result = guest.wait(60s);
    ASSERT_TRUE(result) << to_string(result.status());
    EXPECT_NE(result->output.find("b32768\n"), std::string::npos) << result->output;
  }
  down();
  EXPECT_FALSE(is_alive(process));
  std::ifstream disk(directory_.path() / "disk.img");
  disk.seekg((32 << 20) + 8 * 512);
  std::string line;
  std::getline(disk, line);
  EXPECT_EQ(line, "written by the guest");
}

TEST_F(GuestStartTest, AKernelThatIsMissingFailsTheStartInOneLine) {
  describe({.bobs_device = "[client.vm]\nkernel = \"none\"\ninitrd = \"none\""});
  const Outcome outcome = cede("up " + description_.string());
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(
      outcome.text.find(fmt::format("cede: cannot read '{}' for the VM of 'bob': No such file "
                                    "or directory\n",
                                    (directory_.path() / "none").string())),
      std::string::npos)
      << outcome.text;
}

}  // namespace
}  // namespace cede::supervisor
