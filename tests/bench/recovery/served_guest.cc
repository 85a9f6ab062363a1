// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/recovery/served_guest.h"

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <stdexcept>

namespace cede::bench {
namespace {

constexpr const char* kDriver = "driver";
constexpr std::uint64_t kDiskBytes = 16U << 20;
constexpr std::uint32_t kBytes = 4096;

}  // namespace

ServedGuest::ServedGuest(const DriverKind& kind)
    : system_("bench", disk_description(kind, directory_.file("disk.img", kDiskBytes), kDiskBytes)),
      guest_({.socket_path = system_.socket("frontend", "vda"),
              .data_bytes = 1U << 20,
              .patience = kBootPatience}) {
  guest_.start();
}

ServedGuest::Duration ServedGuest::read() {
  const auto begin = std::chrono::steady_clock::now();
  if (guest_.execute({.bytes = kBytes}) != VIRTIO_BLK_S_OK) {
    throw std::runtime_error("a read has failed");
  }
  return std::chrono::steady_clock::now() - begin;
}

void ServedGuest::kill_driver() {
  const boost::json::object driver = system_.domain(kDriver);
  const char* victim = driver.contains("vm_pid") ? "vm_pid" : "pid";
  const auto pid = driver.at(victim).to_number<pid_t>();
  const Fd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!process || ::kill(pid, SIGKILL) != 0) throw std::runtime_error("the driver does not run");
  pollfd ended{.fd = process.get(), .events = POLLIN, .revents = 0};
  (void)::poll(&ended, 1, -1);
}

void ServedGuest::begin_restart() {
  system_.begin_restart(kDriver);
}

bool ServedGuest::restarting() {
  return system_.domain(kDriver).at("restart").at("under_way").as_bool();
}

}  // namespace cede::bench
