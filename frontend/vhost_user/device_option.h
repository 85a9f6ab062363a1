// SPDX-License-Identifier: Apache-2.0
// The text of --device: name=vda,socket=PATH[,queues=1][,slots=128][,pages=4096]
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

#include "protocols/session.h"

namespace cede::vhost_user {

struct DeviceOption {
  std::string name;  // as granted
  std::string socket;
  std::uint16_t queues = 1;    // 1 to Geometry::kMaxRings
  std::uint32_t slots = 128;   // requests at the driver for each queue, a power of two
  std::uint32_t pages = 4096;  // of the session's region, a power of two

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

}  // namespace cede::vhost_user
