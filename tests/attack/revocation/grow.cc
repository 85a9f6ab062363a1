// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <unistd.h>

#include <array>

#include "tests/attack/attack.h"
#include "tests/attack/siege.h"

namespace cede::attack {
namespace {

void run(Client& client) {
  const int region = client.disk().region.get();
  const auto end = static_cast<off_t>(client.disk().geometry.bytes());
  besiege(client, std::array{
                      Attempt{"the region grows", [=] { return ::ftruncate(region, 2 * end); }},
                      Attempt{"pages are added", [=] { return ::fallocate(region, 0, end, end); }},
                      Attempt{"something is written past the end",
                              [=] { return ::pwrite(region, "x", 1, end); }},
                  });
}

const Entry entry{{.name = "grow",
                   .family = "revocation",
                   .source = "memfd seals: without GROW a region outgrows its account",
                   .does = "adds pages to the region that nobody has given",
                   .holds = "the kernel refuses",
                   .run = &run}};

}  // namespace
}  // namespace cede::attack
