// SPDX-License-Identifier: Apache-2.0
// What Cede is compared with: one server that serves vhost-user, which has honest clients and a
// place for the attacker. Nobody starts it again.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "tests/attack/system.h"
#include "tests/attack/victims.h"

namespace cede::attack {

class Peer {
 public:
  Peer() = default;
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  virtual ~Peer() = default;

  [[nodiscard]] virtual pid_t server() const = 0;
  [[nodiscard]] virtual bool is_dead() const = 0;
  [[nodiscard]] virtual Victims& victims() = 0;
  // The socket that the attacker is to connect to.
  [[nodiscard]] virtual const std::string& attackers_socket() const = 0;
};

// All is ready for the attacker when they return. Throw std::runtime_error.
[[nodiscard]] std::unique_ptr<Peer> start_qemu_storage_daemon();
[[nodiscard]] std::unique_ptr<Peer> start_dpdk_net_vhost();

}  // namespace cede::attack
