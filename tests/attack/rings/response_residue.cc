// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>
#include <span>
#include <stdexcept>
#include <vector>

#include "tests/attack/attack.h"
#include "tests/attack/client.h"
#include "tests/attack/network.h"

namespace cede::attack {
namespace {

constexpr std::byte kPattern{0xA5};

// All of a region but the rings' indices, which go on: nothing is to be there but what its client
// wrote and what answers consist of.
class Watched {
 public:
  Watched(std::byte* memory, const Geometry& geometry)
      : now_(memory, geometry.bytes()), before_(geometry.bytes()), geometry_(geometry) {
    for (std::uint32_t ring = 0; ring < geometry.rings; ++ring) {
      const std::uint64_t base = geometry.ring_offset(ring);
      for (std::size_t line = 0; line < RingShape::kSlots; line += kCacheLine) {
        stretches_.push_back({base + line + kIndexBytes, kCacheLine - kIndexBytes});
      }
      stretches_.push_back({base + RingShape::kSlots, geometry.ring_stride() - RingShape::kSlots});
    }
    stretches_.push_back({geometry.data_offset(), geometry.bytes() - geometry.data_offset()});
  }

  void cover() {
    for (const auto [offset, length] : stretches_) {
      std::ranges::fill(now_.subspan(offset, length), kPattern);
    }
  }
  // What is there now is the client's. Everything that it asked for before has been answered.
  void remember() { std::ranges::copy(now_, before_.begin()); }
  // This was the driver's to write.
  void allow(std::uint64_t offset, std::uint64_t length) {
    std::ranges::copy(now_.subspan(offset, length), std::span(before_).subspan(offset).begin());
  }
  // So were the first `bytes` of each slot of the ring that was answered since.
  void allow_answers(std::uint32_t ring, std::size_t bytes) {
    const std::uint64_t base = geometry_.ring_offset(ring);
    const std::uint32_t answered = producer(now_, base);
    for (std::uint32_t i = producer(before_, base); i != answered; ++i) {
      allow(base + RingShape::kSlots + i % geometry_.slots * geometry_.slot_bytes, bytes);
    }
  }
  // Is all else as it was, or empty?
  [[nodiscard]] bool is_clean() const {
    const auto left_alone = [](std::byte now, std::byte before) {
      return now == before || now == std::byte{0};
    };
    return std::ranges::all_of(stretches_, [&](const Stretch& stretch) {
      const auto [offset, length] = stretch;
      return std::ranges::equal(now_.subspan(offset, length),
                                std::span(before_).subspan(offset, length), left_alone);
    });
  }

 private:
  static constexpr std::size_t kIndexBytes = sizeof(std::uint32_t);

  struct Stretch {
    std::uint64_t offset;
    std::uint64_t length;
  };

  // How many requests of the ring at `base` were answered ever.
  [[nodiscard]] static std::uint32_t producer(std::span<const std::byte> region,
                                              std::uint64_t base) {
    std::uint32_t index = 0;
    std::memcpy(&index, region.data() + base + RingShape::kBackLine, sizeof index);
    return index;
  }

  std::span<std::byte> now_;
  std::vector<std::byte> before_;
  Geometry geometry_;
  std::vector<Stretch> stretches_;
};

// All kinds of answers, of success and of failure; each request has a page of its own.
block::Request any_request(Disk& disk, std::uint32_t i) {
  switch (i % 6) {
    case 0:
      return disk.request(VIRTIO_BLK_T_IN, i, 512, i);
    case 1:
      return disk.request(VIRTIO_BLK_T_IN, disk.info.sectors, 4096, i);
    case 2:
      return disk.request(VIRTIO_BLK_T_GET_ID, 0, VIRTIO_BLK_ID_BYTES, i);
    case 3:
      return disk.request(VIRTIO_BLK_T_OUT, i, 512, i);
    case 4:
      return disk.request(VIRTIO_BLK_T_IN, i, 511, i);
    default:
      return disk.request(99, 0, 4096, i);
  }
}

// A ring full of requests.
bool disk_is_clean(Disk& disk, Watched& region) {
  region.cover();
  std::vector<block::Request> by_id(disk.geometry.slots);
  while (disk.ring.free_slots() > 0) {
    const block::Request request = any_request(disk, disk.ring.in_flight());
    by_id[request.id] = request;
    disk.ring.put(request);
  }
  region.remember();
  disk.publish();
  while (disk.ring.in_flight() > 0) {
    const auto answer = disk.answer();
    if (!answer) throw std::runtime_error("the disk does not answer");
    const block::Request& request = by_id.at(answer->id);
    const bool fills = request.type == VIRTIO_BLK_T_IN || request.type == VIRTIO_BLK_T_GET_ID;
    if (fills && answer->status == VIRTIO_BLK_S_OK) region.allow(request.offset, request.length);
  }
  region.allow_answers(0, sizeof(block::Response));
  return region.is_clean();
}

// Frames that are taken and frames that are not, whatever can be asked of the switch, and one frame
// that comes: the only buffer there is.
bool port_is_clean(Client& client, Watched& region) {
  test::NetClient& port = client.port();
  region.cover();
  const auto buffer = static_cast<std::uint32_t>(port.geometry().data_offset() + kPageBytes);
  port.post_at(buffer, net::kBufferBytes);
  for (std::uint16_t type = 0; type < 4; ++type) {
    port.control().put({.type = net::Control::Type{type}, .id = type});
  }
  const net::Transmit question = place_frame(port, arp_request(client, Host::Alice));
  net::Transmit runt = question;
  runt.length = 1;
  for (const net::Transmit& frame : {runt, question, runt}) port.transmit().put(frame);
  region.remember();
  port.publish(port.receive_ring());
  port.publish(port.control());
  port.publish(port.transmit());
  while (port.transmit().in_flight() > 0) (void)port.verdict();
  while (port.control().in_flight() > 0) (void)port.controlled();
  region.allow(buffer, port.receive().bytes.size());
  region.allow_answers(net::kControlRing, sizeof(net::Controlled));
  region.allow_answers(net::transmit_ring(0), sizeof(net::Verdict));
  region.allow_answers(net::receive_ring(0), sizeof(net::Received));
  return region.is_clean();
}

void run(Client& client) {
  Disk& disk = client.disk();
  test::NetClient& port = client.port();
  Watched disks(disk.memory.data(), disk.geometry);
  Watched ports(port.memory(), port.geometry());
  while (disk_is_clean(disk, disks)) {
    if (!port_is_clean(client, ports)) {
      return client.stage().broke("there is more in the port's pages than the answers");
    }
  }
  client.stage().broke("there is more in the disk's pages than the answers");
}

const Entry entry{
    {.name = "response-residue",
     .family = "rings",
     .source = "XSA-216, CVE-2017-10911: responses that leak what was on the stack",
     .does = "covers all its pages with a pattern, and looks at every byte after each answer",
     .holds = "drivers write the fields of their answers and the data asked for, and nothing else",
     .run = &run}};

}  // namespace
}  // namespace cede::attack
