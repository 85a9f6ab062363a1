// SPDX-License-Identifier: Apache-2.0
#include "vmm/cli/demo/outage_show.h"

#include <fmt/core.h>
#include <signal.h>

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <cstdlib>
#include <optional>
#include <thread>
#include <utility>

#include "vmm/supervisor/control_client.h"

namespace cede::cli {
namespace {

namespace json = boost::json;
using std::chrono::duration;
using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr seconds kPatience{120};
constexpr milliseconds kLook{250};
constexpr milliseconds kTell{1000};  // a line at least so often
constexpr int kWarmUp = 8;           // files of each guest before the kill, and again after it

// Files of 256 KiB, each synced and vouched for before the next, until it is told to end. They are
// counted in memory, so that the count can be read while the disk is away. At most half a volume.
constexpr const char* kWriter =
    "mkdir -p /mnt && mount -t ext4 /dev/vda /mnt && cd /mnt && rm -f /tmp/enough /tmp/done && "
    ": >/tmp/sums && echo 0 >/tmp/count && (n=0; while [ ! -e /tmp/enough ] && [ $n -lt 120 ]; do "
    "n=$((n+1)); dd if=/dev/urandom of=outage$n bs=64k count=4 conv=fsync || break; "
    "sha256sum outage$n >>/tmp/sums; echo $n >/tmp/count; usleep 100000; done; echo >/tmp/done) "
    "</dev/null >/dev/null 2>&1 &";

json::object domain(const std::string& system, const std::string& name) {
  const json::object ledger = supervisor::ControlClient(system).ask({{"op", "ls"}});
  for (const json::value& row : ledger.at("domains").as_array()) {
    if (row.at("name").as_string() == name) return row.as_object();
  }
  return {};
}

}  // namespace

OutageShow::OutageShow(Stage& stage, std::string system, std::string driver,
                       std::array<Guest, 2> guests)
    : stage_(stage),
      system_(std::move(system)),
      driver_(std::move(driver)),
      guests_(std::move(guests)) {}

bool OutageShow::run() {
  if (!begin_writing()) return false;
  const Counts at_kill = written();
  return kill_driver() && watch_return(at_kill) && end_writing() && verify();
}

bool OutageShow::in(const Guest& guest, const std::string& command) {
  auto result = guest.vm.run(command, kPatience);
  output_ = result ? std::move(result->output) : std::string(to_string(result.status()));
  return result && result->exit_status == 0;
}

OutageShow::Counts OutageShow::written() {
  Counts counts{};
  for (std::size_t i = 0; i < guests_.size(); ++i) {
    if (in(guests_[i], "cat /tmp/count")) counts[i] = std::atoi(output_.c_str());
  }
  return counts;
}

std::string OutageShow::progress(const Counts& counts) const {
  return fmt::format("{:8} {}: {:3} files, {}: {:3} files", driver_state(), guests_[0].name,
                     counts[0], guests_[1].name, counts[1]);
}

std::string OutageShow::driver_state() const {
  return std::string(domain(system_, driver_).at("state").as_string());
}

bool OutageShow::begin_writing() {
  for (const Guest& guest : guests_) {
    if (in(guest, kWriter)) continue;
    stage_.check(false, fmt::format("{} begins to write: {}", guest.name, output_));
    return false;
  }
  const auto end = steady_clock::now() + kPatience;
  for (Counts counts = written(); std::ranges::min(counts) < kWarmUp; counts = written()) {
    if (steady_clock::now() > end) return stage_.check(false, "both guests write"), false;
    std::this_thread::sleep_for(kLook);
  }
  stage_.check(true, "both guests write files, and sync each");
  stage_.say(fmt::format("{:9} {}", driver_ + ' ', progress(written())));
  return true;
}

bool OutageShow::kill_driver() {
  const json::object row = domain(system_, driver_);
  const bool is_vm = row.contains("vm_pid");
  const auto pid = row.at(is_vm ? "vm_pid" : "pid").to_number<pid_t>();
  const bool killed = pid > 0 && ::kill(pid, SIGKILL) == 0;
  stage_.check(killed, fmt::format("kill -9 of {}'s {} (process {})", driver_,
                                   is_vm ? "virtual machine" : "program", pid));
  return killed;
}

// Line by line, until both guests write again.
bool OutageShow::watch_return(const Counts& at_kill) {
  const auto begin = steady_clock::now();
  std::array<std::optional<double>, 2> paused;
  auto told = begin - kTell;
  Counts counts = at_kill;
  while (steady_clock::now() < begin + kPatience) {
    counts = written();
    const double elapsed = duration<double>(steady_clock::now() - begin).count();
    bool all_back = true;
    for (std::size_t i = 0; i < counts.size(); ++i) {
      // What was under way at the kill may have been acknowledged by then: one more proves nothing.
      if (counts[i] > at_kill[i] + 1 && !paused[i]) paused[i] = elapsed;
      all_back = all_back && counts[i] >= at_kill[i] + kWarmUp;
    }
    if (steady_clock::now() - told >= kTell || all_back) {
      stage_.say(fmt::format("{:9} {}", driver_ + ' ', progress(counts)));
      told = steady_clock::now();
    }
    if (all_back) {
      stage_.check(true, fmt::format("both write again; {} waited {:.1f} s, {} {:.1f} s",
                                     guests_[0].name, *paused[0], guests_[1].name, *paused[1]));
      return true;
    }
    std::this_thread::sleep_for(kLook);
  }
  stage_.check(false, "both guests write again: " + progress(counts));
  return false;
}

bool OutageShow::end_writing() {
  for (const Guest& guest : guests_) {
    if (in(guest,
           "touch /tmp/enough; for i in $(seq 600); do [ -e /tmp/done ] && exit 0; "
           "usleep 100000; done; exit 1")) {
      continue;
    }
    stage_.check(false, fmt::format("{} ends writing: {}", guest.name, output_));
    return false;
  }
  return true;
}

bool OutageShow::verify() {
  bool all = true;
  for (const Guest& guest : guests_) {
    const bool silent = in(guest, "! dmesg | grep -E 'I/O error|EXT4-fs error'");
    stage_.check(silent, fmt::format("{}'s kernel has seen no error{}", guest.name,
                                     silent ? "" : ": " + output_));
    const bool whole = in(guest,
                          "cd /mnt && echo 3 >/proc/sys/vm/drop_caches && "
                          "sha256sum -c /tmp/sums | grep -c OK && sha256sum -c /tmp/sums "
                          ">/dev/null && cd / && umount /mnt");
    const std::string files = output_.substr(0, output_.find('\n'));
    stage_.check(whole, whole ? fmt::format("{} reads all {} files back from the disk: none is "
                                            "damaged",
                                            guest.name, files)
                              : fmt::format("{}: {}", guest.name, output_));
    all = all && silent && whole;
  }
  return all;
}

}  // namespace cede::cli
