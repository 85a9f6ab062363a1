// SPDX-License-Identifier: Apache-2.0
#include <iterator>

#include "tests/attack/attack.h"
#include "tests/attack/client.h"
#include "tests/attack/net_master.h"
#include "tests/attack/rings/sessions.h"

namespace cede::attack {
namespace {

void run(Client& client) {
  break_sessions(client, [](Disk& disk, std::uint64_t round) {
    const std::uint64_t end = disk.geometry.bytes();
    const std::uint64_t offsets[] = {1ULL << 32,      0,   disk.geometry.data_offset() - 1,
                                     end - 512,       end, 1ULL << 63,
                                     UINT64_MAX - 511};
    block::Request request = disk.request(round % 2 == 0 ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_OUT, 0);
    request.offset = offsets[round / 2 % std::size(offsets)];
    disk.submit(request);
  });
}

void run_on_vhost_user_net(NetMaster& master) {
  const std::uint64_t begin = test::VhostUserNetClient::kGuestBase;
  while (true) {
    for (const std::uint64_t address : {std::uint64_t{0}, begin - 1, begin - 512, 2 * begin,
                                        std::uint64_t{1} << 63, UINT64_MAX - 511}) {
      const test::GuestRing::Buffer elsewhere{address, 512, false};
      master.send_chain(std::span(&elsewhere, 1));
      master.receive_into(address, test::VhostUserNetClient::kBuffer);
    }
  }
}

const Entry entry{
    {.name = "wrong-offsets",
     .family = "rings",
     .source = "XSA-270, CVE-2018-15471: offset + length unchecked",
     .does = "names extents in the ring pages, past the end, and so far out that the sum wraps",
     .holds = "the driver ends each such session, and touches nothing of it",
     .fate = Fate::CutOff,
     .run = &run,
     .on_vhost_user_net = &run_on_vhost_user_net}};

}  // namespace
}  // namespace cede::attack
