// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <linux/falloc.h>

#include <array>

#include "tests/attack/attack.h"
#include "tests/attack/master.h"
#include "tests/attack/net_master.h"
#include "tests/attack/siege.h"

namespace cede::attack {
namespace {

void run(Client& client) {
  const int region = client.disk().region.get();
  const auto all = static_cast<off_t>(client.disk().geometry.bytes());
  const auto fallocate = [region, all](int mode) {
    return [region, all, mode] { return ::fallocate(region, mode, 0, all); };
  };
  besiege(client, std::array{
                      Attempt{"a hole is punched into the region",
                              fallocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)},
                      Attempt{"the region is zeroed", fallocate(FALLOC_FL_ZERO_RANGE)},
                      Attempt{"the region is collapsed", fallocate(FALLOC_FL_COLLAPSE_RANGE)},
                  });
}

void run_on_vhost_user(Master& master) {
  const int memory = master.disk().memory_fd();
  while (true) {
    master.read_on();
    (void)::fallocate(memory, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, Master::kLargest);
  }
}

void run_on_vhost_user_net(NetMaster& master) {
  const auto payload = static_cast<off_t>(master.port().buffers_offset(NetMaster::kTransmit));
  constexpr off_t kBytes = NetMaster::kMost * test::VhostUserNetClient::kBuffer;
  while (true) {
    master.send_on();
    (void)::fallocate(master.port().memory_fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                      payload, kBytes);
  }
}

const Entry entry{{.name = "punch-hole",
                   .family = "revocation",
                   .source = "memfd seals: SHRINK and GROW alone do not stop it",
                   .does = "takes the region's pages out of its file while the driver uses them",
                   .holds = "the kernel refuses",
                   .run = &run,
                   .on_vhost_user = &run_on_vhost_user,
                   .on_vhost_user_net = &run_on_vhost_user_net}};

}  // namespace
}  // namespace cede::attack
