// SPDX-License-Identifier: Apache-2.0
// What has to go on whatever a client does to its region: reads all over it are in flight, and a
// page of known content, the canary, stays what it is, to the client and to the driver.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "tests/attack/client.h"

namespace cede::attack {

struct Attempt {
  std::string what;
  std::function<long()> call;  // as a system call: what it returned, and errno
};

class Siege {
 public:
  explicit Siege(Client& client);

  // Puts the reads into flight.
  void begin();
  // Waits for them, and looks at the canary from both sides. False: something is not as it was, and
  // the arena has been told.
  [[nodiscard]] bool holds();

 private:
  [[nodiscard]] bool succeeds(std::string_view what);
  [[nodiscard]] std::span<std::byte> page(std::uint32_t number);
  [[nodiscard]] bool shows_canary(std::uint32_t number);
  [[nodiscard]] bool lost(std::string_view what);

  Client& client_;
  Disk& disk_;
  std::uint32_t in_flight_ = 0;
};

// Attempts that all have to fail, in mid-I/O, over and over: each is told once. Returns only where
// one had an effect.
void besiege(Client& client, std::span<const Attempt> attempts);

}  // namespace cede::attack
