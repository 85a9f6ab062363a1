// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <string>

#include "tests/attack/attack.h"
#include "tests/attack/master.h"
#include "tests/attack/net_master.h"
#include "tests/attack/siege.h"

namespace cede::attack {
namespace {

void run(Client& client) {
  const int region = client.disk().region.get();
  const auto half = static_cast<off_t>(client.disk().geometry.bytes() / 2);
  const std::string path = "/proc/self/fd/" + std::to_string(region);
  besiege(client,
          std::array{
              Attempt{"the region is cut to nothing", [&] { return ::ftruncate(region, 0); }},
              Attempt{"the region is cut in half", [&] { return ::ftruncate(region, half); }},
              Attempt{"the region is cut by its path", [&] { return ::truncate(path.c_str(), 0); }},
              Attempt{"the region is opened with O_TRUNC",
                      [&] { return ::open(path.c_str(), O_RDWR | O_TRUNC | O_CLOEXEC); }},
          });
}

void run_on_vhost_user(Master& master) {
  for (std::uint32_t i = 0; i < Master::kDepth; ++i) master.read_on();
  if (::ftruncate(master.disk().memory_fd(), 0) == 0) {
    master.stage().note("the back end's memory is cut to nothing");
  }
}

void run_on_vhost_user_net(NetMaster& master) {
  for (std::uint32_t i = 0; i < NetMaster::kDepth; ++i) master.send();
  if (::ftruncate(master.port().memory_fd(), 0) == 0) {
    master.stage().note("the back end's memory is cut to nothing");
  }
}

const Entry entry{{.name = "truncate",
                   .family = "revocation",
                   .source = "shared mappings: access past the end of the file is SIGBUS",
                   .does = "cuts the region short while the driver uses it",
                   .holds = "the kernel refuses, and no page of it is another one",
                   .run = &run,
                   .on_vhost_user = &run_on_vhost_user,
                   .on_vhost_user_net = &run_on_vhost_user_net}};

}  // namespace
}  // namespace cede::attack
