// SPDX-License-Identifier: Apache-2.0
// The real cede-switch, and sessions on its ports.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/driver_program.h"
#include "tests/support/net_client.h"

namespace cede::test {

// One queue pair, 64 slots.
inline constexpr Geometry kPort{
    .pages = 256, .rings = net::rings_for(1), .slot_bytes = net::kSlotBytes, .slots = 64};

// --port: number 1 is device 0, with the address that frames.h calls 1.
[[nodiscard]] inline std::string port(int number, const std::string& more = "") {
  return "device=" + std::to_string(number - 1) + ",name=p" + std::to_string(number) +
         ",mac=52:54:00:00:00:0" + std::to_string(number) + more;
}

class SwitchProcess : public DriverProgram {
 public:
  // Ports as on the command line; `fds` are descriptors that `options` name.
  explicit SwitchProcess(const std::vector<std::string>& ports,
                         const std::vector<std::string>& options = {},
                         std::span<const int> fds = {})
      : DriverProgram(CEDE_SWITCH_PROGRAM, command(ports, options), fds) {}

  struct Connected {
    Handle session;
    net::Info info;
    std::unique_ptr<NetClient> client;

    NetClient* operator->() const { return client.get(); }
  };
  Connected connect(std::uint32_t device, const Geometry& geometry = kPort) {
    return connect(device, make_session_parts(geometry));
  }
  Connected connect(std::uint32_t device, SessionParts parts) {
    Connected connected = connect_as<Connected>(device, std::move(parts));
    settle();  // a frame to a port that is not served yet is lost
    return connected;
  }

  [[nodiscard]] std::uint64_t drops(std::uint32_t device, Drop reason) const {
    return stats(device).net.drops[static_cast<std::size_t>(reason)];
  }

 private:
  static std::vector<std::string> command(const std::vector<std::string>& ports,
                                          const std::vector<std::string>& options) {
    std::vector<std::string> words;
    for (const std::string& text : ports) words.insert(words.end(), {"--port", text});
    words.insert(words.end(), options.begin(), options.end());
    return words;
  }
};

}  // namespace cede::test
