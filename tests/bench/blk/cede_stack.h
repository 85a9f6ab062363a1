// SPDX-License-Identifier: Apache-2.0
// A real broker and a real block driver on an image, and client domains that were granted it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tests/bench/blk/system.h"
#include "vmm/process/process.h"
#include "vmm/supervisor/broker_link.h"
#include "vmm/supervisor/programs.h"

namespace cede::bench {

class CedeStack {
 public:
  struct Clients {
    unsigned count = 1;  // each has an equal part of the image
    std::uint32_t pages = 1U << 15;
    std::string cgroup{};  // where the broker charges them; empty: nowhere
    supervisor::Policy policy = supervisor::Policy::Donated;
  };

  // Throws std::runtime_error.
  explicit CedeStack(const RamImage& image) : CedeStack(image, Clients{}) {}
  CedeStack(const RamImage& image, const Clients& clients);
  CedeStack(const CedeStack&) = delete;
  CedeStack& operator=(const CedeStack&) = delete;
  // The client has to be gone, or on its way. Reports a broker that misses pages on stderr.
  ~CedeStack();

  // A client domain's capability socket, once.
  [[nodiscard]] Fd take_client(unsigned client = 0) noexcept { return std::move(clients_[client]); }
  [[nodiscard]] Handle driver_domain() const noexcept { return driver_domain_; }
  [[nodiscard]] const supervisor::Programs& programs() const noexcept { return programs_; }
  [[nodiscard]] std::vector<ServerProcess> servers() const;

 private:
  supervisor::Programs programs_;
  Process broker_;
  std::optional<supervisor::BrokerLink> link_;
  Handle driver_domain_;
  Process driver_;
  std::vector<Fd> clients_;
};

}  // namespace cede::bench
