// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/attack.h"
#include "tests/attack/bare_session.h"

namespace cede::attack {
namespace {

constexpr std::uint32_t kSlots = Client::kDiskGeometry.slots;

// Requests that a driver has no business to look at yet: `announced` of them, and the bell.
void use_at_once(BareSession& session, std::uint32_t announced) {
  const Geometry& geometry = Client::kDiskGeometry;
  Disk::Ring ring(session.side.mapping.data(), geometry.ring_shape());
  for (std::uint32_t id = 0; id < kSlots; ++id) {
    ring.put({.type = VIRTIO_BLK_T_OUT,
              .flags = 0,
              .id = id,
              .sector = 8ULL * id,
              .offset = geometry.data_offset() + id * kPageBytes,
              .length = kPageBytes,
              .reserved = 0});
  }
  SharedIndex(session.side.mapping.data() + RingShape::kFrontLine)
      .store(announced, std::memory_order_release);
  (void)::send(session.side.fds.kick.get(), "k", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void run(Client& client) {
  client.close(client.disk());
  while (true) {
    for (const std::uint32_t announced : {kSlots, 1U << 31}) {
      BareSession session = take_offer(client, client.disk().grant);
      use_at_once(session, announced);
      // Time for a driver that would begin too early.
      ::usleep(2000);
      SharedIndex rsp_prod(session.side.mapping.data() + RingShape::kBackLine);
      if (rsp_prod.load(std::memory_order_acquire) != 0) {
        return client.stage().broke("the driver answers before the session is connected");
      }
      if (connects(client, session.handle) && announced > kSlots &&
          !client.await_cut_off(session.handle)) {
        return client.stage().broke("a producer far ahead is let pass");
      }
      give_back(client, std::move(session));
    }
  }
}

const Entry entry{{.name = "early-map",
                   .family = "revocation",
                   .source = "xenbus: rings that are used before both sides are Connected",
                   .does = "fills the rings and rings the bell between Offer and Mapped",
                   .holds = "the driver looks at nothing before the seals are on, and takes no "
                            "nonsense after that",
                   .fate = Fate::CutOff,
                   .run = &run}};

}  // namespace
}  // namespace cede::attack
