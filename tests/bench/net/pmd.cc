// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/net/pmd.h"

#include <fmt/format.h>

#include <filesystem>
#include <stdexcept>
#include <thread>

#include "tests/bench/interrupt.h"
#include "tests/bench/net/testpmd.h"
#include "tests/bench/server_process.h"
#include "tests/support/net_stack.h"
#include "tests/support/temporary_directory.h"

namespace cede::bench {
namespace {

using test::NetStack;

std::string virtio_user(const std::string& socket, const std::string& mac) {
  return fmt::format("virtio_user0,path={},queues=1,queue_size=256,mac={}", socket, mac);
}

std::string net_vhost(int number, const std::string& socket) {
  return fmt::format("net_vhost{},iface={},queues=1", number, socket);
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
  const Testpmd receiver({{virtio_user(folder.path("b"), kRightMac)}, kReceive});
  const Testpmd sender({{virtio_user(folder.path("a"), kLeftMac)}, send_to(kRightMac)});
  return measure_flow(receiver, duration,
                      {{"sender", sender.pid()},
                       {"left", a.pid()},
                       {"switch", stack.net_switch().pid()},
                       {"right", b.pid()},
                       {"receiver", receiver.pid()}});
}

NetSample run_pmd_direct(std::chrono::nanoseconds duration) {
  const test::TemporaryDirectory folder;
  const Testpmd receiver({{net_vhost(0, folder.path("a"))}, kReceive});
  receiver.await_socket(folder.path("a"));
  const Testpmd sender({{virtio_user(folder.path("a"), kLeftMac)}, send_to(kRightMac)});
  return measure_flow(receiver, duration, {{"sender", sender.pid()}, {"receiver", receiver.pid()}});
}

NetSample run_pmd_between(std::chrono::nanoseconds duration) {
  const test::TemporaryDirectory folder;
  const Testpmd middle(
      {{net_vhost(0, folder.path("a")), net_vhost(1, folder.path("b"))}, {"--forward-mode=io"}});
  middle.await_socket(folder.path("b"));
  const Testpmd receiver({{virtio_user(folder.path("b"), kRightMac)}, kReceive});
  const Testpmd sender({{virtio_user(folder.path("a"), kLeftMac)}, send_to(kRightMac)});
  return measure_flow(
      receiver, duration,
      {{"sender", sender.pid()}, {"between", middle.pid()}, {"receiver", receiver.pid()}});
}

}  // namespace cede::bench
