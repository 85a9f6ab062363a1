// SPDX-License-Identifier: Apache-2.0
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <stdexcept>

#include "protocols/posix/channel.h"
#include "tests/attack/attack.h"
#include "tests/attack/client.h"

namespace cede::attack {
namespace {

// Into the queue of a socket pair that only its own queue refers to in the end: no process has the
// region then, and only the kernel's collector of such rings finds it.
void park(int region) {
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) != 0) {
    throw std::runtime_error("no place to park");
  }
  const Fd near(pair[0]);
  const Fd far(pair[1]);
  const std::byte word{};
  (void)send_packet(near.get(), std::span(&word, 1), std::array{region, near.get(), far.get()});
  (void)send_packet(far.get(), std::span(&word, 1), std::array{region, near.get(), far.get()});
}

void run(Client& client) {
  for (int i = 0; i < 32; ++i) park(client.disk().region.get());
  ::_exit(0);
}

const Entry entry{
    {.name = "park-descriptors",
     .family = "revocation",
     .source = "unix(7): SCM_RIGHTS in flight shows in no /proc/PID/fd; CVE-2021-0920",
     .does = "leaves its region in queues that nobody will ever read, and dies",
     .holds = "the pages come home, and not a moment before they are free",
     .fate = Fate::Either,
     .run = &run}};

}  // namespace
}  // namespace cede::attack
