// SPDX-License-Identifier: Apache-2.0
// The real cede-driver on a real image.
#pragma once

#include <fcntl.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/driver_program.h"
#include "tests/support/image.h"
#include "tests/support/session_parts.h"
#include "tests/unit/driver/test_client.h"

namespace cede::test {

inline constexpr Geometry kSmall{
    .pages = 64, .rings = 1, .slot_bytes = block::kSlotBytes, .slots = 32};

class DriverProcess : public DriverProgram {
 public:
  // Exports as on the command line; a disk opened with `open_flags`.
  DriverProcess(const std::string& image, const std::vector<std::string>& exports,
                const std::vector<std::string>& options = {}, int open_flags = O_RDWR)
      : DriverProcess(checked(::open(image.c_str(), open_flags | O_CLOEXEC)), exports, options) {}

  // A session that the driver has mapped; not connected yet.
  struct Offered {
    Handle session;
    block::Info info;
    SessionParts parts;
  };
  struct Connected {
    Handle session;
    block::Info info;
    std::unique_ptr<TestClient> client;
  };
  Connected connect(std::uint32_t device, const Geometry& geometry = kSmall) {
    return connect(device, make_session_parts(geometry));
  }
  Connected connect(std::uint32_t device, SessionParts parts) {
    return connect_as<Connected>(device, std::move(parts));
  }

 private:
  DriverProcess(const Fd& disk, const std::vector<std::string>& exports,
                const std::vector<std::string>& options)
      : DriverProgram(CEDE_DRIVER_PROGRAM, command(disk, exports, options),
                      std::array{disk.get()}) {}

  static std::vector<std::string> command(const Fd& disk, const std::vector<std::string>& exports,
                                          const std::vector<std::string>& options) {
    std::vector<std::string> words = {"--disk-fd", std::to_string(disk.get()), "--disk-name",
                                      "test.img"};
    for (const std::string& text : exports) words.insert(words.end(), {"--export", text});
    words.insert(words.end(), options.begin(), options.end());
    return words;
  }
};

}  // namespace cede::test
