// SPDX-License-Identifier: Apache-2.0
// The machine that is measured on: what it is, who uses its processors, and how near they are to
// each other. All clocks in seconds.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace cede::bench {

// "AMD EPYC, 2 cores, Linux 6.1.0-18-amd64"
[[nodiscard]] std::string describe_machine();
[[nodiscard]] unsigned processors() noexcept;

// The processors that this process may run on.
[[nodiscard]] std::vector<int> allowed_processors();
// Runs the calling thread there and nowhere else. False: it may not.
[[nodiscard]] bool pin_to(int cpu) noexcept;

// Processor time of a process, all of its threads, ended ones and the kernel's workers for its
// io_uring included. 0 once it has ended.
[[nodiscard]] double process_seconds(pid_t pid) noexcept;
// Processor time that was not idle since boot, all processors together; what the host took
// is in it. In steps of 10 ms.
[[nodiscard]] double machine_seconds();

// How long a cache line takes between the first two processors that we may use, there and back, in
// nanoseconds. Some hosts move virtual processors about, and this moves with them; so does all that
// two processes do together. 0 where there is only one.
[[nodiscard]] double cache_line_round_trip();

}  // namespace cede::bench
