// SPDX-License-Identifier: Apache-2.0
// A real broker and a real block driver on an image, and a client domain that was granted it.
#pragma once

#include <optional>
#include <vector>

#include "tests/bench/blk/system.h"
#include "vmm/process/process.h"
#include "vmm/supervisor/broker_link.h"
#include "vmm/supervisor/programs.h"

namespace cede::bench {

class CedeStack {
 public:
  // Throws std::runtime_error.
  explicit CedeStack(const RamImage& image);
  CedeStack(const CedeStack&) = delete;
  CedeStack& operator=(const CedeStack&) = delete;
  // The client has to be gone, or on its way. Reports a broker that misses pages on stderr.
  ~CedeStack();

  // The client domain's capability socket, once.
  [[nodiscard]] Fd take_client() noexcept { return std::move(client_); }
  [[nodiscard]] const supervisor::Programs& programs() const noexcept { return programs_; }
  [[nodiscard]] std::vector<ServerProcess> servers() const;

 private:
  supervisor::Programs programs_;
  Process broker_;
  std::optional<supervisor::BrokerLink> link_;
  Process driver_;
  Fd client_;
};

}  // namespace cede::bench
