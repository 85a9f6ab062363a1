// SPDX-License-Identifier: Apache-2.0
#include "tests/e2e/two_guests.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "protocols/posix/fd.h"
#include "tests/support/guest_images.h"
#include "vmm/cli/demo/host_check.h"
#include "vmm/cli/demo/stage.h"

namespace cede::test {
namespace {

namespace fs = std::filesystem;
using std::chrono_literals::operator""s;
using std::chrono_literals::operator""ms;

constexpr std::uint64_t kMiB = 1 << 20;
constexpr std::uint64_t kVolume = 64 * kMiB;
constexpr auto kBootTime = 120s;
constexpr auto kCommandTime = 120s;

std::string description(const std::string& name, const std::string& driver) {
  std::string text = fmt::format(
      "name = \"{}\"\nbudget = \"64M\"\n[[driver]]\nname = \"disk0\"\n{}", name, driver);
  for (const auto& [client, offset] : {std::pair{"alice", kMiB}, {"bob", kMiB + kVolume}}) {
    text += fmt::format("  [[driver.volume]]\n  name = \"{}\"\n  offset = {}\n  size = {}\n",
                        client, offset, kVolume);
  }
  for (const char* client : {"alice", "bob"}) {
    text += fmt::format(
        "[[client]]\nname = \"{0}\"\naccount = \"16M\"\n  [[client.device]]\n  name = \"vda\"\n"
        "  driver = \"disk0\"\n  volume = \"{0}\"\n  region = \"8M\"\n",
        client);
  }
  return text;
}

}  // namespace

void TwoGuests::SetUp() {
  const auto seed = static_cast<unsigned>(::time(nullptr));
  random_.seed(seed);
  RecordProperty("seed", static_cast<int>(seed));

  clients_[0].name = "alice";
  clients_[0].offset = kMiB;
  clients_[1].name = "bob";
  clients_[1].offset = kMiB + kVolume;
  const Fd disk_file(::open(disk().c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
  ASSERT_EQ(::ftruncate(disk_file.get(), static_cast<off_t>(2 * kMiB + 2 * kVolume)), 0);
  system_.describe(description(system_.name(), driver()));
  system_.up();
  boot_both();
  run_in_both("mkfs.ext4 -q -F /dev/vda");
  for (Client& client : clients_) mount(client);
}

void TwoGuests::TearDown() {
  for (Client& client : clients_) client.guest.reset();
}

void TwoGuests::boot(Client& client) {
  start(client);
  expect_ready(client);
}

void TwoGuests::boot_both() {
  for (Client& client : clients_) start(client);
  for (Client& client : clients_) expect_ready(client);
}

void TwoGuests::start(Client& client) {
  qemu::GuestOptions options;
  options.name = client.name;
  options.kernel = guest_kernel();
  options.initrd = guest_initrd();
  options.accelerator = qemu::best_accelerator();
  options.run_directory = system_.file(client.name + "-vm").string();
  options.disks = {{std::string(system_.session(client.name, "vda").at("socket").as_string()), 1}};
  std::string problem;
  auto guest = qemu::GuestVm::start(options, &problem);
  ASSERT_TRUE(guest) << problem;
  client.guest.emplace(std::move(*guest));
}

void TwoGuests::expect_ready(Client& client) {
  ASSERT_TRUE(client.guest);
  ASSERT_EQ(client.guest->wait_ready(kBootTime), Status::Ok) << client.guest->last_words();
}

void TwoGuests::run(Client& client, const std::string& command) {
  expect_success(client, command, client.guest->run(command, kCommandTime));
}

void TwoGuests::run_in_both(const std::string& command) {
  for (Client& client : clients_) ASSERT_EQ(client.guest->submit(command), Status::Ok);
  for (Client& client : clients_) {
    expect_success(client, command, client.guest->wait(kCommandTime));
  }
}

void TwoGuests::expect_success(const Client& client, const std::string& command,
                               const Result<qemu::CommandResult>& result) {
  ASSERT_TRUE(result) << client.name << ": " << to_string(result.status());
  ASSERT_EQ(result->exit_status, 0) << client.name << ": " << command << "\n" << result->output;
}

void TwoGuests::mount(Client& client) {
  run(client, "mkdir -p /mnt && mount -t ext4 /dev/vda /mnt");
}

void TwoGuests::begin_write(Client& client) {
  client.pending_file = fmt::format("file{}", client.next_file++);
  ASSERT_EQ(client.guest->submit(fmt::format(
                "cd /mnt && dd if=/dev/urandom of={0} bs=64k count=4 conv=fsync 2>/dev/null && "
                "sync && sha256sum {0}",
                client.pending_file)),
            Status::Ok);
}

void TwoGuests::finish_write(Client& client) {
  const auto result = client.guest->wait(kCommandTime);
  ASSERT_TRUE(result) << client.name << ": " << to_string(result.status());
  ASSERT_EQ(result->exit_status, 0) << client.name << ": " << result->output;
  client.acknowledged[client.pending_file] = result->output.substr(0, 64);
}

void TwoGuests::write_some(int rounds) {
  for (int i = 0; i < rounds; ++i) {
    for (Client& client : clients_) begin_write(client);
    for (Client& client : clients_) finish_write(client);
  }
}

void TwoGuests::write_while(const std::function<void()>& event) {
  for (Client& client : clients_) begin_write(client);
  random_pause();
  event();
  for (Client& client : clients_) finish_write(client);
}

void TwoGuests::random_pause() {
  std::this_thread::sleep_for(std::chrono::milliseconds(random_() % 80));
}

void TwoGuests::expect_no_guest_saw_an_error() {
  run_in_both("! dmesg | grep -E 'I/O error|EXT4-fs error|Remounting filesystem read-only'");
}

void TwoGuests::expect_everything_on_disk() {
  run_in_both("umount /mnt");
  for (const Client& client : clients_) expect_on_disk(client, false);
  EXPECT_TRUE(system_.down());
}

void TwoGuests::expect_on_disk(const Client& client, bool died) {
  const std::string volume = system_.file(client.name + ".volume").string();
  const auto copied = cli::run_tool({"dd", "if=" + disk(), "of=" + volume, "bs=1M",
                                     fmt::format("skip={}", client.offset / kMiB),
                                     fmt::format("count={}", kVolume / kMiB), "status=none"});
  ASSERT_EQ(copied.exit_status, 0) << copied.output;
  if (died) (void)cli::run_tool({"e2fsck", "-fy", volume});
  const cli::HostVerdict verdict = cli::check_file_system(volume, 0);
  EXPECT_TRUE(verdict.holds) << client.name << ": " << verdict.words;

  for (const auto& [file, sum] : client.acknowledged) {
    const std::string copy = system_.file(client.name + "." + file).string();
    (void)cli::run_tool({"debugfs", "-R", fmt::format("dump {} {}", file, copy), volume});
    const auto actual = cli::run_tool({"sha256sum", copy});
    EXPECT_EQ(actual.output.substr(0, 64), sum) << client.name << " lost " << file;
    fs::remove(copy);
  }
}

}  // namespace cede::test
