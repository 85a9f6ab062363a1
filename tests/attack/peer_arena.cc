// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/peer_arena.h"

#include <fmt/format.h>

#include <chrono>
#include <string_view>

#include "vmm/supervisor/programs.h"

namespace cede::attack {
namespace {

constexpr std::uint64_t kDiskBytes = 32U << 20;

void add_export(std::vector<std::string>& words, std::string_view name,
                const bench::RamImage& image, const bench::ServerSocket& socket) {
  words.insert(words.end(),
               {"--blockdev",
                fmt::format("driver=file,node-name={},filename={},cache.direct=off,aio=io_uring",
                            name, image.path()),
                "--export",
                fmt::format("type=vhost-user-blk,id={0}-export,node-name={0},addr.type=fd,"
                            "addr.str={1},writable=on,num-queues=1",
                            name, socket.fd())});
}

}  // namespace

PeerArena::PeerArena(const Attack& attack)
    : victims_image_(kDiskBytes),
      attackers_image_(kDiskBytes),
      daemon_(start_daemon()),
      victims_(victims_socket_.path(), victims_image_, kDiskBytes, nullptr) {
  attacker_ = bench::start_server(
      {supervisor::find_program("cede-attacker", "tests/attack").string(), std::string(attack.name),
       signs_.directory().path().string(), "--disk-socket", attackers_socket_.path()},
      {});
}

Process PeerArena::start_daemon() const {
  std::vector<std::string> words{"qemu-storage-daemon"};
  add_export(words, "victim", victims_image_, victims_socket_);
  add_export(words, "attacker", attackers_image_, attackers_socket_);
  return bench::start_server(std::move(words), {victims_socket_.fd(), attackers_socket_.fd()});
}

Phase PeerArena::measure(std::chrono::milliseconds duration) {
  const std::vector<bench::ServerProcess> daemon{{"qemu-storage-daemon", daemon_.pid()}};
  const Holdings before = holdings_of(daemon);
  Phase phase;
  phase.victim = victims_.work(duration);
  phase.drivers = holdings_since(before, daemon);
  phase.seconds = phase.victim.disk.seconds;
  return phase;
}

std::vector<std::string> PeerArena::lost_servers() {
  if (!daemon_.wait(std::chrono::milliseconds(0))) return {};
  return {"qemu-storage-daemon"};
}

std::vector<std::string> PeerArena::damage() {
  if (victims_.disk_is_unharmed()) return {};
  return {"the victim's disk is spoilt"};
}

}  // namespace cede::attack
