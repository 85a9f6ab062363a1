// SPDX-License-Identifier: Apache-2.0
// Boots real guests of images/build's images.
#include "vmm/qemu/guest_vm.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/eventually.h"
#include "tests/support/guest_images.h"
#include "tests/support/temporary_directory.h"

namespace cede::qemu {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace)

constexpr auto kBootTimeout = 120s;  // two seconds on a quiet machine
constexpr auto kCommandTimeout = 60s;
constexpr std::uintmax_t kDiskBytes = 64UL << 20;

std::string content(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

bool exists(pid_t pid) {
  return ::kill(pid, 0) == 0;
}

class GuestVmTest : public ::testing::Test {
 protected:
  [[nodiscard]] GuestOptions options(const std::string& name = "guest") const {
    GuestOptions options;
    options.name = name;
    options.kernel = test::guest_kernel();
    options.initrd = test::guest_initrd();
    options.run_directory = directory_.path(name);
    options.accelerator = best_accelerator();
    return options;
  }

  // An empty disk image of kDiskBytes.
  [[nodiscard]] std::string make_disk(const std::string& name) const {
    std::string path = directory_.path(name);
    std::ofstream(path).close();
    fs::resize_file(path, kDiskBytes);
    return path;
  }

  // Starts a program of the host; its output is in the file `output`.
  [[nodiscard]] Process host(std::vector<std::string> arguments) const {
    const Fd log(::open(output_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    return Process::start({.arguments = std::move(arguments), .output = log.get()});
  }

  // A guest that boots.
  [[nodiscard]] static std::optional<GuestVm> start(const GuestOptions& options) {
    std::string problem;
    Result<GuestVm> guest = GuestVm::start(options, &problem);
    EXPECT_TRUE(guest) << to_string(guest.status()) << ": " << problem;
    if (!guest) return std::nullopt;
    return *std::move(guest);
  }

  // Boots a guest. A failure shows what QEMU and the guest's console said.
  [[nodiscard]] static std::optional<GuestVm> boot(const GuestOptions& options) {
    std::optional<GuestVm> guest = start(options);
    if (!guest) return std::nullopt;
    const Status ready = guest->wait_ready(kBootTimeout);
    EXPECT_EQ(ready, Status::Ok) << guest->last_words() << '\n' << content(guest->console_log());
    if (ready != Status::Ok) return std::nullopt;
    return guest;
  }

  static void expect_success(GuestVm& guest, const std::string& command) {
    const Result<CommandResult> result = guest.run(command, kCommandTimeout);
    ASSERT_TRUE(result) << command << ": " << to_string(result.status());
    EXPECT_EQ(result->exit_status, 0) << command << ":\n" << result->output;
  }

  static std::string output_of(GuestVm& guest, const std::string& command) {
    Result<CommandResult> result = guest.run(command, kCommandTimeout);
    EXPECT_TRUE(result) << command << ": " << to_string(result.status());
    return result ? std::move(result->output) : std::string();
  }

  // Makes a file system on /dev/vda, writes files, and reads them back from the disk.
  static void use_disk(GuestVm& guest) {
    expect_success(guest, "mkfs.ext4 -q /dev/vda && mount /dev/vda /mnt");
    expect_success(guest, "for i in 1 2 3; do head -c 3000000 /dev/urandom >/mnt/$i; done");
    const std::string sums = output_of(guest, "cd /mnt && sha256sum 1 2 3");
    expect_success(guest, "sync && umount /mnt && e2fsck -fn /dev/vda");
    expect_success(guest, "echo 3 >/proc/sys/vm/drop_caches && mount /dev/vda /mnt");
    EXPECT_EQ(output_of(guest, "cd /mnt && sha256sum 1 2 3"), sums);
    EXPECT_EQ(sums.size(), 3 * (64 + std::string("  1\n").size()));
    expect_success(guest, "umount /mnt");
  }

  void expect_clean_file_system(const std::string& image) const {
    Process check = host({"e2fsck", "-fn", image});
    EXPECT_EQ(check.wait(kCommandTimeout), 0) << content(output_);
  }

  test::TemporaryDirectory directory_;
  std::string output_ = directory_.path("host-output");
};

TEST_F(GuestVmTest, UsesADiskOfQemu) {
  const std::string image = make_disk("disk");
  GuestOptions with_disk = options();
  with_disk.extra_arguments = {"-drive", "file=" + image + ",format=raw,if=none,id=plain",
                               "-device", "virtio-blk-pci,drive=plain"};
  std::optional<GuestVm> guest = boot(with_disk);
  ASSERT_TRUE(guest);
  use_disk(*guest);
  EXPECT_EQ(guest->power_off(kCommandTimeout), Status::Ok);
  expect_clean_file_system(image);
}

TEST_F(GuestVmTest, UsesVhostUserDisksInTheirOrder) {
  const std::string image = make_disk("disk");
  const std::string other = make_disk("other");
  const std::string socket = directory_.path("disk.sock");
  const std::string other_socket = directory_.path("other.sock");
  const auto export_of = [](const std::string& id, const std::string& path) {
    return "vhost-user-blk,id=export-" + id + ",node-name=" + id +
           ",addr.type=unix,addr.path=" + path + ",writable=on,num-queues=2";
  };
  Process backend =
      host({"qemu-storage-daemon", "--blockdev", "file,node-name=first,filename=" + image,
            "--blockdev", "file,node-name=second,filename=" + other, "--export",
            export_of("first", socket), "--export", export_of("second", other_socket)});
  ASSERT_TRUE(eventually([&] { return fs::exists(other_socket); })) << content(output_);

  GuestOptions with_disks = options();
  with_disks.vcpus = 2;
  with_disks.disks = {{.socket = socket, .queues = 2}, {.socket = other_socket}};
  std::optional<GuestVm> guest = boot(with_disks);
  ASSERT_TRUE(guest);
  EXPECT_EQ(output_of(*guest, "ls /sys/block/vda/mq /sys/block/vdb/mq"),
            "/sys/block/vda/mq:\n0\n1\n\n/sys/block/vdb/mq:\n0\n");
  use_disk(*guest);
  expect_success(*guest, "printf second | dd of=/dev/vdb conv=fsync");
  EXPECT_EQ(guest->power_off(kCommandTimeout), Status::Ok);
  backend.kill();
  expect_clean_file_system(image);
  EXPECT_EQ(content(other).substr(0, 6), "second");
}

TEST_F(GuestVmTest, CarriesOutputAndExitStatusOfCommands) {
  std::optional<GuestVm> guest = boot(options());
  ASSERT_TRUE(guest);

  std::string numbers;
  for (int i = 1; i <= 150'000; ++i) numbers += std::to_string(i) + '\n';
  EXPECT_EQ(output_of(*guest, "seq 1 150000"), numbers);

  EXPECT_EQ(output_of(*guest, "printf 'no newline'; printf '\\n\\n\\001\\377\\r' >&2"),
            "no newline\n\n\001\377\r");
  EXPECT_EQ(output_of(*guest, "cat"), "") << "a command's input is empty";
  EXPECT_EQ(output_of(*guest, "  echo 'a  b' \"c\\\\n\"  "), "a  b c\\n\n");

  for (const auto& [command, status] : {std::pair{"true", 0},
                                        {"exit 7", 7},
                                        {"exit 255", 255},
                                        {"kill -9 $$", 137},
                                        {"no-such-program", 127}}) {
    const Result<CommandResult> result = guest->run(command, kCommandTimeout);
    ASSERT_TRUE(result) << command;
    EXPECT_EQ(result->exit_status, status) << command;
  }
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(output_of(*guest, "echo " + std::to_string(i)), std::to_string(i) + '\n');
  }
}

TEST_F(GuestVmTest, LongCommandsComeThroughWholeAndLateOnesCanBeWaitedForAgain) {
  std::optional<GuestVm> guest = boot(options());
  ASSERT_TRUE(guest);
  const std::string text(CommandChannel::kMaxCommand - 20, 'x');
  EXPECT_EQ(output_of(*guest, "echo " + text), text + '\n');

  EXPECT_EQ(guest->run("sleep 1; echo done", 0ms).status(), Status::TimedOut);
  EXPECT_EQ(guest->submit("echo too early"), Status::Busy);
  const Result<CommandResult> result = guest->wait(kCommandTimeout);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->output, "done\n");
}

TEST_F(GuestVmTest, TwoGuestsWorkAtTheSameTime) {
  std::vector<GuestVm> guests;
  for (const char* name : {"one", "two"}) {
    Result<GuestVm> guest = GuestVm::start(options(name));
    ASSERT_TRUE(guest);
    guests.push_back(*std::move(guest));
  }
  for (GuestVm& guest : guests) ASSERT_EQ(guest.wait_ready(kBootTimeout), Status::Ok);
  for (GuestVm& guest : guests) ASSERT_EQ(guest.submit("sleep 1; cat /proc/uptime"), Status::Ok);
  for (GuestVm& guest : guests) EXPECT_TRUE(guest.wait(kCommandTimeout));
  for (GuestVm& guest : guests) EXPECT_EQ(guest.power_off(kCommandTimeout), Status::Ok);
}

TEST_F(GuestVmTest, KillLeavesNoProcessAndNoSocket) {
  std::optional<GuestVm> guest = start(options());
  ASSERT_TRUE(guest);
  const pid_t pid = guest->pid();
  const std::string socket = options().run_directory + "/control.sock";
  EXPECT_TRUE(exists(pid));
  EXPECT_TRUE(fs::exists(socket));
  guest->kill();
  EXPECT_FALSE(exists(pid));
  EXPECT_FALSE(fs::exists(socket));
  EXPECT_FALSE(guest->running());
  EXPECT_EQ(guest->pid(), pid);
  EXPECT_FALSE(guest->run("true", kCommandTimeout));
}

TEST_F(GuestVmTest, DestructorAndPowerOffLeaveNoProcessAndNoSocket) {
  const std::string socket = options().run_directory + "/control.sock";
  std::optional<GuestVm> guest = start(options());
  ASSERT_TRUE(guest);
  const pid_t first = guest->pid();
  guest.reset();
  EXPECT_FALSE(exists(first));
  EXPECT_FALSE(fs::exists(socket));

  guest = boot(options());  // the same run directory serves again
  ASSERT_TRUE(guest);
  const pid_t second = guest->pid();
  EXPECT_EQ(guest->power_off(kCommandTimeout), Status::Ok);
  EXPECT_FALSE(exists(second));
  EXPECT_FALSE(fs::exists(socket));
}

TEST_F(GuestVmTest, QemuThatDiesIsNoticed) {
  std::optional<GuestVm> guest = boot(options());
  ASSERT_TRUE(guest);
  ASSERT_EQ(guest->submit("sleep 1000"), Status::Ok);
  ::kill(guest->pid(), SIGKILL);
  EXPECT_EQ(guest->wait(kCommandTimeout).status(), Status::Gone);
  EXPECT_TRUE(eventually([&] { return !guest->running(); }));
}

TEST_F(GuestVmTest, KernelPanicEndsQemu) {
  std::optional<GuestVm> guest = boot(options());
  ASSERT_TRUE(guest);
  ASSERT_EQ(guest->submit("echo c >/proc/sysrq-trigger"), Status::Ok);
  EXPECT_EQ(guest->wait(kCommandTimeout).status(), Status::Gone);
  EXPECT_NE(content(guest->console_log()).find("sysrq triggered crash"), std::string::npos);
}

TEST_F(GuestVmTest, GuestDiesWithTheThreadThatStartedIt) {
  std::optional<GuestVm> guest;
  std::thread([&] { guest = start(options()); }).join();
  ASSERT_TRUE(guest);
  EXPECT_TRUE(eventually([&] { return !guest->running(); }));
}

TEST_F(GuestVmTest, RunsAsAnotherUser) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  GuestOptions as_nobody = options();
  as_nobody.run_as = 65534;
  // Copies, for the images may be in a directory that only root may enter.
  as_nobody.kernel = directory_.path("vmlinuz");
  as_nobody.initrd = directory_.path("initramfs");
  ASSERT_TRUE(fs::copy_file(options().kernel, as_nobody.kernel));
  ASSERT_TRUE(fs::copy_file(options().initrd, as_nobody.initrd));
  fs::permissions(directory_.path(), fs::perms(0755));
  std::optional<GuestVm> guest = boot(as_nobody);
  ASSERT_TRUE(guest);
  const std::string status = content("/proc/" + std::to_string(guest->pid()) + "/status");
  EXPECT_NE(status.find("Uid:\t65534\t65534\t65534\t65534\n"), std::string::npos) << status;
  EXPECT_NE(status.find("Gid:\t65534\t65534\t65534\t65534\n"), std::string::npos) << status;
  EXPECT_NE(status.find("Groups:\t \n"), std::string::npos) << status;
  EXPECT_EQ(guest->power_off(kCommandTimeout), Status::Ok);
}

TEST_F(GuestVmTest, StartSaysWhatIsWrong) {
  std::string problem;
  GuestOptions bad = options();
  bad.extra_arguments = {"-device", "no-such-device"};
  Result<GuestVm> guest = GuestVm::start(bad, &problem);
  // QEMU opens the control socket before it looks at devices: either moment may see its end.
  if (guest) {
    EXPECT_EQ(guest->wait_ready(kBootTimeout), Status::Gone);
    problem = guest->last_words();
  }
  EXPECT_NE(problem.find("'no-such-device' is not a valid device model name"), std::string::npos)
      << problem;

  bad = options();
  bad.program = "no-such-qemu";
  EXPECT_EQ(GuestVm::start(bad, &problem).status(), Status::IoError);
  EXPECT_EQ(
      problem,
      "cannot start 'no-such-qemu': No such file or directory; is qemu-system-x86 installed?");
  bad = options();
  bad.kernel = "/no/such/kernel";
  EXPECT_EQ(GuestVm::start(bad, &problem).status(), Status::Invalid);
  EXPECT_EQ(problem,
            "cannot read '/no/such/kernel': No such file or directory; images/build makes it");
}

}  // namespace
}  // namespace cede::qemu
