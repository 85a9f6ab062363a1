// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/peer_arena.h"

#include "vmm/supervisor/programs.h"

namespace cede::attack {
namespace {

std::unique_ptr<Peer> start(System system) {
  return system == System::DpdkNetVhost ? start_dpdk_net_vhost() : start_qemu_storage_daemon();
}

}  // namespace

PeerArena::PeerArena(const Attack& attack, System system)
    : system_(system),
      peer_(start(system)),
      attacker_(bench::start_server(
          {supervisor::find_program("cede-attacker", "tests/attack").string(),
           std::string(attack.name), signs_.directory().path().string(),
           has_disk(system) ? "--disk-socket" : "--port-socket", peer_->attackers_socket()},
          {})) {}

Phase PeerArena::measure(std::chrono::milliseconds duration) {
  const std::vector<bench::ServerProcess> server{
      {std::string(to_string(system_)), peer_->server()}};
  const Holdings before = holdings_of(server);
  const auto begun = std::chrono::steady_clock::now();
  Phase phase;
  phase.victim = peer_->victims().work(duration);
  phase.drivers = holdings_since(before, server);
  phase.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  return phase;
}

std::vector<std::string> PeerArena::lost_servers() {
  if (!peer_->is_dead()) return {};
  return {std::string(to_string(system_))};
}

std::vector<std::string> PeerArena::damage() {
  if (peer_->victims().disk_is_unharmed()) return {};
  return {"the victim's disk is spoilt"};
}

}  // namespace cede::attack
