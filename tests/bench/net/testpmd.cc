// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/net/testpmd.h"

#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <stdexcept>
#include <thread>

namespace cede::bench {
namespace {

constexpr int kLooks = 1000;  // for a socket, ten milliseconds apart

Process start(const TestpmdOptions& options, int output) {
  Launch launch;
  if (!options.network.empty()) launch.arguments = {"nsenter", "--net=" + options.network};
  for (const char* word : {"dpdk-testpmd", "--lcores=0@(0,1),1@(0,1)", "--no-huge", "-m", "256",
                           "--no-pci", "--no-shconf", "--no-telemetry"}) {
    launch.arguments.emplace_back(word);
  }
  for (const std::string& device : options.devices) {
    launch.arguments.insert(launch.arguments.end(), {"--vdev", device});
  }
  launch.arguments.insert(launch.arguments.end(),
                          {"--", "--stats-period=1", "--auto-start", "--txpkts=60",
                           "--total-num-mbufs=16384", "--no-lsc-interrupt"});
  launch.arguments.insert(launch.arguments.end(), options.words.begin(), options.words.end());
  launch.output = output;
  launch.locked_bytes = RLIM_INFINITY;
  return Process::start(launch);
}

}  // namespace

Testpmd::Testpmd(const TestpmdOptions& options)
    : output_(::memfd_create("testpmd", MFD_CLOEXEC)), process_(start(options, output_.get())) {}

void Testpmd::await_socket(const std::string& path) const {
  for (int i = 0; i < kLooks && running(); ++i) {
    if (std::filesystem::exists(path)) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  throw std::runtime_error("testpmd, of the package dpdk-dev, does not listen: " + printed());
}

std::uint64_t Testpmd::received() const {
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

std::string Testpmd::printed() const {
  std::string text;
  char bytes[4096];
  off_t offset = 0;
  for (ssize_t size = 0; (size = ::pread(output_.get(), bytes, sizeof bytes, offset)) > 0;) {
    text.append(bytes, static_cast<std::size_t>(size));
    offset += size;
  }
  return text;
}

}  // namespace cede::bench
