// SPDX-License-Identifier: Apache-2.0
// The text of --device, one for each device of the client domain:
//
//   name=vda,socket=PATH[,queues=1][,slots=128][,pages=4096]         a volume, by vhost-user-blk
//   class=net,name=eth0,socket=PATH[,queues=1][,slots=1024]           a port, by vhost-user-net
//   class=tap,name=eth0,tap=FD[+FD...][,slots=1024]                   a port, by the queues of a
//   TAP
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "protocols/session.h"

namespace cede::frontend {

struct DeviceOption {
  enum class Class : std::uint8_t { Block, Net, Tap };

  Class device_class = Class::Block;
  std::string name;          // as granted
  std::string socket;        // Block and Net
  std::vector<int> taps;     // Tap: inherited descriptors, one for each queue pair
  std::uint16_t queues = 1;  // rings of a volume, up to Geometry::kMaxRings; queue pairs of a port
  std::uint32_t slots = 0;   // requests at the driver for each ring, a power of two
  std::uint32_t pages = 0;   // Block: of the session's region, a power of two

  // What the broker is asked for.
  [[nodiscard]] Geometry geometry() const noexcept;
};

// Says what is wrong with an option and how to put it right, in one line.
class OptionError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Throws OptionError.
[[nodiscard]] DeviceOption parse_device_option(std::string_view text);

}  // namespace cede::frontend
