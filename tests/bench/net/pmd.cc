// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/net/pmd.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>

#include <filesystem>
#include <stdexcept>
#include <string_view>
#include <thread>

#include "tests/bench/interrupt.h"
#include "tests/bench/server_process.h"
#include "tests/support/net_stack.h"
#include "tests/support/temporary_directory.h"

namespace cede::bench {
namespace {

using test::NetStack;

// A testpmd that says every second what it has received.
class Testpmd {
 public:
  Testpmd(const char* role, const std::vector<std::string>& devices,
          const std::vector<std::string>& options)
      : role_(role), output_(::memfd_create("testpmd", MFD_CLOEXEC)) {
    std::vector<std::string> words = {"dpdk-testpmd", "--lcores=0@(0,1),1@(0,1)",
                                      "--no-huge",    "-m",
                                      "256",          "--no-pci",
                                      "--no-shconf",  "--no-telemetry"};
    for (const std::string& device : devices) words.insert(words.end(), {"--vdev", device});
    words.insert(words.end(), {"--", "--stats-period=1", "--auto-start", "--txpkts=60",
                               "--total-num-mbufs=16384", "--no-lsc-interrupt"});
    words.insert(words.end(), options.begin(), options.end());
    Launch launch;
    launch.arguments = std::move(words);
    launch.output = output_.get();
    launch.locked_bytes = RLIM_INFINITY;
    process_ = Process::start(launch);
  }

  [[nodiscard]] ServerProcess process() const { return {role_, process_.pid()}; }
  // Received by all ports so far, as of at most a second ago.
  [[nodiscard]] std::uint64_t received() const {
    const std::string text = printed();
    std::uint64_t sum = 0;
    // The last block of statistics that is complete.
    const std::size_t end = text.rfind("####\n");
    const std::size_t begin = end == std::string::npos ? end : text.rfind("NIC statistics", end);
    if (begin == std::string::npos) return 0;
    const std::size_t packets = text.find("RX-packets: ", begin);
    if (packets < end) sum += std::stoull(text.substr(packets + 12));
    return sum;
  }
  [[nodiscard]] std::string printed() const {
    std::string text;
    char bytes[4096];
    off_t offset = 0;
    for (ssize_t size = 0; (size = ::pread(output_.get(), bytes, sizeof bytes, offset)) > 0;) {
      text.append(bytes, static_cast<std::size_t>(size));
      offset += size;
    }
    return text;
  }
  [[nodiscard]] bool running() const {
    pollfd ended{process_.pidfd(), POLLIN, 0};
    return ::poll(&ended, 1, 0) == 0;
  }

 private:
  const char* role_;
  Fd output_;
  Process process_;
};

std::string virtio_user(const std::string& socket, const std::string& mac) {
  return fmt::format("virtio_user0,path={},queues=1,queue_size=256,mac={}", socket, mac);
}

const std::vector<std::string> kReceive = {"--forward-mode=rxonly"};
std::vector<std::string> send_to(const std::string& mac) {
  return {"--forward-mode=txonly", "--eth-peer=0," + mac};
}

NetSample measure_flow(const Testpmd& receiver, std::chrono::nanoseconds duration,
                       std::vector<ServerProcess> processes) {
  const auto wait = [&](std::chrono::nanoseconds stretch) {
    std::this_thread::sleep_for(stretch);
    throw_if_interrupted();
    if (!receiver.running()) throw std::runtime_error("testpmd ended:\n" + receiver.printed());
  };
  for (int i = 0; receiver.received() == 0; ++i) {
    if (i == 300) throw std::runtime_error("nothing arrives:\n" + receiver.printed());
    wait(std::chrono::milliseconds(100));
  }
  // Its figures change once a second: from one change to a later one.
  const auto next_change = [&] {
    const std::uint64_t old = receiver.received();
    for (int i = 0; i < 1000 && receiver.received() == old; ++i) {
      wait(std::chrono::milliseconds(10));
    }
    return receiver.received();
  };
  Meter meter(std::move(processes));
  NetSample sample;
  const std::uint64_t before = next_change();
  meter.begin();
  std::this_thread::sleep_for(std::max<std::chrono::nanoseconds>(
      std::chrono::milliseconds(500), duration - std::chrono::milliseconds(500)));
  const std::uint64_t after = next_change();
  meter.end(sample);
  sample.rate = static_cast<double>(after - before) / sample.seconds;
  sample.errors = after > before ? 0 : 1;
  return sample;
}

void wait_for_socket(const std::string& path) {
  for (int i = 0; i < 500 && !std::filesystem::exists(path); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

constexpr const char* kLeftMac = "02:ce:de:00:00:01";
constexpr const char* kRightMac = "02:ce:de:00:00:02";

}  // namespace

NetSample run_pmd_cede(std::chrono::nanoseconds duration) {
  const test::TemporaryDirectory folder;
  NetStack stack(supervisor::find_programs(), {});
  const auto a = stack.start_frontend(0, "net", "socket=" + folder.path("a"));
  const auto b = stack.start_frontend(1, "net", "socket=" + folder.path("b"));
  wait_for_socket(folder.path("a"));
  wait_for_socket(folder.path("b"));
  std::this_thread::sleep_for(std::chrono::milliseconds(300));  // until both listen
  const Testpmd receiver("receiver", {virtio_user(folder.path("b"), kRightMac)}, kReceive);
  const Testpmd sender("sender", {virtio_user(folder.path("a"), kLeftMac)}, send_to(kRightMac));
  return measure_flow(receiver, duration,
                      {sender.process(),
                       {"left", a.pid()},
                       {"switch", stack.net_switch().pid()},
                       {"right", b.pid()},
                       receiver.process()});
}

NetSample run_pmd_direct(std::chrono::nanoseconds duration) {
  const test::TemporaryDirectory folder;
  const Testpmd receiver("receiver", {"net_vhost0,iface=" + folder.path("a") + ",queues=1"},
                         kReceive);
  wait_for_socket(folder.path("a"));
  const Testpmd sender("sender", {virtio_user(folder.path("a"), kLeftMac)}, send_to(kRightMac));
  return measure_flow(receiver, duration, {sender.process(), receiver.process()});
}

NetSample run_pmd_between(std::chrono::nanoseconds duration) {
  const test::TemporaryDirectory folder;
  const Testpmd middle("between",
                       {"net_vhost0,iface=" + folder.path("a") + ",queues=1",
                        "net_vhost1,iface=" + folder.path("b") + ",queues=1"},
                       {"--forward-mode=io"});
  wait_for_socket(folder.path("b"));
  const Testpmd receiver("receiver", {virtio_user(folder.path("b"), kRightMac)}, kReceive);
  const Testpmd sender("sender", {virtio_user(folder.path("a"), kLeftMac)}, send_to(kRightMac));
  return measure_flow(receiver, duration, {sender.process(), middle.process(), receiver.process()});
}

}  // namespace cede::bench
