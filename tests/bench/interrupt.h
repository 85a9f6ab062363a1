// SPDX-License-Identifier: Apache-2.0
// SIGINT and SIGTERM end a measurement early and in order: servers are let go, nothing stays.
#pragma once

namespace cede::bench {

// From here on both signals only make interrupted() true (and end a sleep in poll() or the like); a
// second one kills.
void catch_interrupts();
[[nodiscard]] bool interrupted() noexcept;
// Throws std::runtime_error if interrupted().
void throw_if_interrupted();

}  // namespace cede::bench
