// SPDX-License-Identifier: Apache-2.0
// A running system for the end-to-end tests: `cede up` on a real disk image, two guests with a
// mounted file system each, and a record of every file that a guest wrote, synced and vouched for.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <string>

#include "tests/e2e/running_system.h"
#include "vmm/qemu/guest_vm.h"

namespace cede::test {

// One client with its guest. `acknowledged` maps a file to the checksum that the guest printed
// after fsync had returned: data that no process's death may take away.
struct Client {
  std::string name;
  std::uint64_t offset = 0;  // of its volume in the disk image
  std::optional<qemu::GuestVm> guest;
  std::map<std::string, std::string> acknowledged;
  int next_file = 0;
  std::string pending_file;  // submitted, not yet waited for
};

class TwoGuests : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  Client& alice() { return clients_[0]; }
  Client& bob() { return clients_[1]; }
  [[nodiscard]] std::string disk() const { return system_.file("disk.img").string(); }

  // What serves the disk: a driver's keys but for its name and its volumes.
  [[nodiscard]] virtual std::string driver() const {
    return "kind = \"block\"\ndisk = \"disk.img\"\n";
  }

  void boot(Client& client);                             // a new QEMU for the client
  void boot_both();                                      // side by side
  void run(Client& client, const std::string& command);  // must exit with 0
  void run_in_both(const std::string& command);          // at once
  void mount(Client& client);

  // Starts a write of one more file with fsync; finish_write() waits for it and records its
  // checksum.
  void begin_write(Client& client);
  void finish_write(Client& client);
  // Writes files in both guests at once, `rounds` times.
  void write_some(int rounds);
  // Both guests write one file more, and `event` happens at a random moment of that.
  void write_while(const std::function<void()>& event);
  // Waits for a random moment while writes are on their way.
  void random_pause();

  // No guest's kernel has complained of its disk.
  void expect_no_guest_saw_an_error();
  // Reads every acknowledged file from the image by the host's own tools and compares. The client's
  // guest has unmounted cleanly, or died (then a copy of its volume is repaired from the journal
  // first).
  void expect_on_disk(const Client& client, bool died);
  // The end of a test: both guests unmount, their files are on the disk, the system goes down.
  void expect_everything_on_disk();

  RunningSystem system_;

 private:
  void start(Client& client);
  void expect_ready(Client& client);
  static void expect_success(const Client& client, const std::string& command,
                             const Result<qemu::CommandResult>& result);

  std::array<Client, 2> clients_;
  std::minstd_rand random_;
};

}  // namespace cede::test
