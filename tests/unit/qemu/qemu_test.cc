// SPDX-License-Identifier: Apache-2.0
// What vmm/qemu does without QEMU: choosing, refusing, and reading what a guest says.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "vmm/qemu/accelerator.h"
#include "vmm/qemu/command_channel.h"
#include "vmm/qemu/guest_vm.h"

namespace cede::qemu {
namespace {

using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace)

TEST(Accelerator, FindsVirtualizationAmongTheFlagsOnly) {
  EXPECT_TRUE(has_hardware_virtualization("processor\t: 0\nflags\t\t: fpu vmx sse\n"));
  EXPECT_TRUE(has_hardware_virtualization("flags\t\t: fpu sse svm"));
  EXPECT_TRUE(has_hardware_virtualization("flags\t\t: fpu\n\nprocessor: 1\nflags\t\t: svm\n"));
  EXPECT_FALSE(has_hardware_virtualization(""));
  EXPECT_FALSE(has_hardware_virtualization("flags\t\t: fpu sse hypervisor\n"));
  EXPECT_FALSE(has_hardware_virtualization("flags\t\t: vmxnet svm_lock\nbugs\t\t: vmx\n"));
  EXPECT_FALSE(has_hardware_virtualization("vmx flags\t: vnmi svm\nmodel name\t: svm vmx\n"));
}

bool has_in_order(const std::vector<std::string>& all, const std::vector<std::string>& part) {
  return std::search(all.begin(), all.end(), part.begin(), part.end()) != all.end();
}

TEST(QemuArguments, NameEachDiskAndDoubleCommas) {
  GuestOptions options;
  options.run_directory = "/run/a,b";
  options.disks = {{.socket = "/run/x.sock", .queues = 4}, {.socket = "/run/y,z.sock"}};
  options.extra_arguments = {"-device", "virtio-rng-pci"};
  options.memory_bytes = 512UL << 20;
  const std::vector<std::string> arguments = qemu_arguments(options);
  EXPECT_TRUE(has_in_order(
      arguments, {"-chardev", "socket,id=disk0,path=/run/x.sock,reconnect=1", "-device",
                  "vhost-user-blk-pci,chardev=disk0,num-queues=4", "-chardev",
                  "socket,id=disk1,path=/run/y,,z.sock,reconnect=1", "-device",
                  "vhost-user-blk-pci,chardev=disk1,num-queues=1", "-device", "virtio-rng-pci"}));
  EXPECT_TRUE(has_in_order(
      arguments, {"-m", "512M", "-object", "memory-backend-memfd,id=mem,size=512M,share=on"}));
  EXPECT_TRUE(has_in_order(arguments,
                           {"socket,id=control,path=/run/a,,b/control.sock,server=on,wait=off"}));
}

TEST(QemuArguments, AskForKvmOnlyWhereToldTo) {
  GuestOptions options;
  EXPECT_FALSE(has_in_order(qemu_arguments(options), {"-accel", "kvm"}));
  options.accelerator = Accelerator::Kvm;
  EXPECT_TRUE(has_in_order(qemu_arguments(options), {"-accel", "kvm", "-accel", "tcg"}));
}

TEST(GuestOptions, ProblemsAreNamed) {
  GuestOptions good;
  good.kernel = good.initrd = "/dev/null";
  good.run_directory = "/run/guest";
  good.disks = {{.socket = "/run/disk.sock"}};
  EXPECT_EQ(problem_with(good), "");

  const auto problem_after = [&](auto change) {
    GuestOptions bad = good;
    change(bad);
    return problem_with(bad);
  };
  EXPECT_EQ(problem_after([](GuestOptions& o) { o.memory_bytes += 1; }),
            "a guest's memory is a whole number of MiB, at least 64: not 268435457 bytes");
  EXPECT_NE(problem_after([](GuestOptions& o) { o.memory_bytes = 63UL << 20; }), "");
  EXPECT_EQ(problem_after([](GuestOptions& o) { o.vcpus = 0; }),
            "a guest has 1 to 255 processors: not 0");
  EXPECT_NE(problem_after([](GuestOptions& o) { o.vcpus = 256; }), "");
  EXPECT_EQ(problem_after([](GuestOptions& o) { o.disks[0].queues = 1025; }),
            "a disk has 1 to 1024 queues: not 1025");
  EXPECT_NE(problem_after([](GuestOptions& o) { o.disks[0].queues = 0; }), "");
  EXPECT_NE(problem_after([](GuestOptions& o) { o.disks[0].socket.clear(); }), "");
  EXPECT_NE(problem_after([](GuestOptions& o) { o.run_directory.clear(); }), "");
  EXPECT_NE(problem_after([](GuestOptions& o) { o.run_directory = std::string(100, 'x'); }), "");
  EXPECT_NE(problem_after([](GuestOptions& o) { o.initrd = "/no/such/file"; }), "");
}

// The guest's end of a command channel, in the test's hands.
class CommandChannelTest : public ::testing::Test {
 protected:
  CommandChannelTest() {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) std::abort();
    guest_ = Fd(ends[0]);
    channel_ = CommandChannel(Fd(ends[1]));
  }

  void say(const std::string& text) const {
    std::string_view rest = text;
    while (!rest.empty()) {
      const ssize_t sent = ::send(guest_.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      rest.remove_prefix(static_cast<std::size_t>(sent));
    }
  }

  // The tag of the command that was sent, which is all that was sent.
  [[nodiscard]] std::string hear_tag(const std::string& command) const {
    std::array<char, 4096> buffer{};
    const ssize_t got = ::recv(guest_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    const std::string line(buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    std::string tag = line.substr(0, line.find(' '));
    EXPECT_EQ(line, tag + ' ' + command + '\n');
    return tag;
  }

  std::string start(const std::string& command) {
    say("ready\n");
    EXPECT_EQ(channel_.wait_ready(1s), Status::Ok);
    EXPECT_EQ(channel_.submit(command), Status::Ok);
    return hear_tag(command);
  }

  Fd guest_;
  CommandChannel channel_;
};

TEST_F(CommandChannelTest, ReadyInPieces) {
  EXPECT_EQ(channel_.submit("true"), Status::WrongState);
  say("rea");
  EXPECT_EQ(channel_.wait_ready(0ms), Status::TimedOut);
  say("dy\n");
  EXPECT_EQ(channel_.wait_ready(1s), Status::Ok);
}

TEST_F(CommandChannelTest, FirstWordsThatAreNotReadyBreakIt) {
  say("hello there\n");
  EXPECT_EQ(channel_.wait_ready(1s), Status::Broken);
}

TEST_F(CommandChannelTest, ResultBytewise) {
  const std::string tag = start("echo hello");
  EXPECT_EQ(tag.size(), 32U);
  const std::string answer = "hello\n\n" + tag + " 42\n";
  for (std::size_t i = 0; i + 1 < answer.size(); ++i) {
    say(answer.substr(i, 1));
    ASSERT_EQ(channel_.wait(0ms).status(), Status::TimedOut) << i;
  }
  say("\n");
  const Result<CommandResult> result = channel_.wait(1s);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->exit_status, 42);
  EXPECT_EQ(result->output, "hello\n");
}

TEST_F(CommandChannelTest, EarlierEndMarksAreOutput) {
  const std::string first = start("one");
  say("\n" + first + " 0\n");
  ASSERT_TRUE(channel_.wait(1s));
  ASSERT_EQ(channel_.submit("two"), Status::Ok);
  const std::string second = hear_tag("two");
  EXPECT_NE(first, second);
  say("\n" + first + " 0\n\n" + second + " 1\n");
  const Result<CommandResult> result = channel_.wait(1s);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->exit_status, 1);
  EXPECT_EQ(result->output, "\n" + first + " 0\n");
}

class MalformedStatus : public CommandChannelTest,
                        public ::testing::WithParamInterface<const char*> {};

TEST_P(MalformedStatus, BreaksTheChannel) {
  const std::string tag = start("true");
  say("\n" + tag + ' ' + GetParam());
  EXPECT_EQ(channel_.wait(1s).status(), Status::Broken);
  EXPECT_EQ(channel_.submit("true"), Status::Busy);
}

INSTANTIATE_TEST_SUITE_P(CommandChannel, MalformedStatus,
                         ::testing::Values("256\n", "-1\n", "\n", "1x\n", "0 \n", "99999"));

TEST_F(CommandChannelTest, CommandsThatAreNotOneLineAreRefused) {
  say("ready\n");
  ASSERT_EQ(channel_.wait_ready(1s), Status::Ok);
  EXPECT_EQ(channel_.submit(""), Status::Invalid);
  EXPECT_EQ(channel_.submit("a\nb"), Status::Invalid);
  EXPECT_EQ(channel_.submit(std::string("a\0b", 3)), Status::Invalid);
  EXPECT_EQ(channel_.submit(std::string(CommandChannel::kMaxCommand + 1, 'x')), Status::Invalid);
  EXPECT_EQ(channel_.submit(std::string(CommandChannel::kMaxCommand, 'x')), Status::Ok);
  EXPECT_EQ(channel_.submit("true"), Status::Busy);
}

TEST_F(CommandChannelTest, EndlessOutputIsCutOff) {
  const std::string tag = start("yes");
  std::thread flood([&] {
    const std::string block(1UL << 20, 'y');
    for (std::size_t sent = 0; sent <= CommandChannel::kMaxOutput; sent += block.size()) say(block);
  });
  EXPECT_EQ(channel_.wait(60s).status(), Status::Full);
  channel_ = CommandChannel();
  flood.join();
}

TEST_F(CommandChannelTest, GuestThatHangsUpIsGone) {
  start("true");
  EXPECT_EQ(channel_.submit("true"), Status::Busy);
  guest_.reset();
  EXPECT_EQ(channel_.wait(1s).status(), Status::Gone);
}

TEST_F(CommandChannelTest, SubmitToAGuestThatHungUpIsGone) {
  say("ready\n");
  ASSERT_EQ(channel_.wait_ready(1s), Status::Ok);
  EXPECT_EQ(channel_.wait(1s).status(), Status::WrongState) << "nothing was submitted";
  guest_.reset();
  EXPECT_EQ(channel_.submit("true"), Status::Gone);
}

}  // namespace
}  // namespace cede::qemu
