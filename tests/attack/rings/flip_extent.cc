// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <iterator>

#include "tests/attack/attack.h"
#include "tests/attack/client.h"
#include "tests/attack/net_master.h"
#include "tests/attack/rings/sessions.h"
#include "tests/attack/rings/shared_field.h"

namespace cede::attack {
namespace {

constexpr std::uint64_t kOutside[] = {0, UINT64_MAX - 4095, std::uint64_t{1} << 63, 8U << 20};

// False: the driver has judged the extent at a moment when it was wrong.
bool publish_one(Client& client, Disk& disk, std::uint32_t round) {
  const SharedIndex producer(disk.ring_base() + RingShape::kFrontLine);
  const std::uint32_t next = producer.load(std::memory_order_relaxed);
  std::byte* const place = disk.slot(next % disk.geometry.slots) + offsetof(block::Request, offset);
  const block::Request honest = disk.request(VIRTIO_BLK_T_IN, 0);
  disk.submit(honest);
  // Wrong now and then only: most requests have to be found right when they are judged.
  for (std::uint32_t i = 0; i < 65536 && disk.ring.peek() == Verdict::Empty; ++i) {
    set(place, i % 64 == round % 64 ? kOutside[round % std::size(kOutside)] : honest.offset);
  }
  set(place, honest.offset);
  const auto response = disk.answer();
  // No driver writes this line, unless it moves payload there.
  if (producer.load(std::memory_order_relaxed) != next + 1) {
    client.stage().broke("the driver writes over the ring");
  }
  return response && response->status == VIRTIO_BLK_S_OK;
}

void run(Client& client) {
  break_sessions(client, [&client](Disk& disk, std::uint64_t round) {
    std::uint32_t published = 0;
    while (published < 4096 && publish_one(client, disk, published)) ++published;
    // Not seen in time: then one that does not change.
    if (published == 4096) {
      block::Request outside = disk.request(VIRTIO_BLK_T_IN, 0);
      outside.offset = kOutside[round % std::size(kOutside)];
      disk.submit(outside);
    }
  });
}

void run_on_vhost_user_net(NetMaster& master) {
  using vhost_user::Descriptor;
  std::byte* const table = master.port().ring(NetMaster::kTransmit).place();
  std::thread([=, payload = master.payload()] {
    for (std::uint64_t round = 0;; ++round) {
      std::byte* const descriptor = table + round % NetMaster::kMost * sizeof(Descriptor);
      const bool outside = round / NetMaster::kMost % 2 != 0;
      set(descriptor + offsetof(Descriptor, address),
          outside ? kOutside[round % std::size(kOutside)] : payload);
      set(descriptor + offsetof(Descriptor, length), outside ? UINT32_MAX : 64U);
    }
  }).detach();
  const test::GuestRing::Buffer honest{master.payload(), 64, false};
  while (true) master.send_chain(std::span(&honest, 1));
}

const Entry entry{
    {.name = "flip-extent",
     .family = "rings",
     .source = "XSA-155, CVE-2015-8550",
     .does = "moves the extent of a published request out of its pages while the driver takes it",
     .holds = "the driver does what it has judged, or ends that session; it writes nowhere else",
     .fate = Fate::CutOff,
     .run = &run,
     .on_vhost_user_net = &run_on_vhost_user_net}};

}  // namespace
}  // namespace cede::attack
