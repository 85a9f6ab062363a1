// SPDX-License-Identifier: Apache-2.0
// A virtio-net device's queues, split or packed, all of the guest's making.
//
// Input: the set-up's bytes, then an image of guest memory. What is checked: nothing is read or
// written out of bounds (the sanitizers), every pass ends, and what reaches the session are frames
// of a possible length. The switch behind the session takes everything and sends frames of all
// lengths back.
#include <algorithm>
#include <bit>
#include <cstring>

#include "frontend/vhost_user/net_queue.h"
#include "protocols/ring.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/support/client_session.h"
#include "tests/unit/vhost_user/memory_file.h"

namespace {

using namespace cede;
using namespace cede::vhost_user;

constexpr std::size_t kBytes = 64U << 10;

// Two neighbouring regions, so that buffers can lie over their seam.
struct Guest {
  Guest() {
    const bool shared =
        memory.add({test::kGuest, kBytes / 2, test::kUser, 0}, file.fd()) == Status::Ok &&
        memory.add({test::kGuest + kBytes / 2, kBytes / 2, test::kUser + kBytes / 2, kBytes / 2},
                   file.fd()) == Status::Ok;
    fuzz::require(shared, "guest memory can be shared");
  }
  test::MemoryFile file{kBytes};
  GuestMemory memory;
};

struct Port {
  Port()
      : parts(test::make_session_parts(net::port_geometry(1, net::kMinSlots))),
        device(attach(parts)),
        transmit(region() + parts.geometry.ring_offset(net::transmit_ring(0)),
                 parts.geometry.ring_shape()) {}

  static frontend::NetDevice attach(test::SessionParts& parts) {
    net::Info info;
    info.mac = {{2, 0, 0, 0, 0, 1}};
    info.mtu = 1500;
    frontend::Session session = test::open_client(parts, info);
    for (std::uint16_t i = 0; i < parts.geometry.rings; ++i) {
      format_ring(session.region.data() + parts.geometry.ring_offset(i));
    }
    auto device = frontend::NetDevice::attach(std::move(session));
    fuzz::require(static_cast<bool>(device), "a session can be attached");
    return *std::move(device);
  }
  [[nodiscard]] std::byte* region() const { return device.session().region.data(); }
  void take_all() {
    device.publish();
    net::Transmit frame;
    while (transmit.take(frame) == Verdict::Ready) {
      fuzz::require(frame.length >= net::kMinFrame && frame.length <= net::kMaxFrame,
                    "a frame of a possible length");
      fuzz::require(parts.geometry.holds(frame.offset, frame.length), "in the session's payload");
      transmit.put({});
    }
    (void)transmit.publish();
  }

  test::SessionParts parts;
  frontend::NetDevice device;
  BackRing<net::Transmit, net::Transmitted> transmit;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Guest guest;
  static Port port;
  static const std::vector<std::byte> payload(net::kMaxFrame);
  fuzz::Input input(data, size);
  const auto queue_size = static_cast<std::uint32_t>(1 + input.below(255));
  const auto flags = input.take<std::uint8_t>();
  const auto base = input.take<std::uint32_t>();
  // Offsets into the image.
  const auto descriptors = input.take<std::uint16_t>();
  const auto available = input.take<std::uint16_t>();
  const auto used = input.take<std::uint16_t>();
  const std::uint32_t lengths[] = {net::kMinFrame, input.take<std::uint16_t>() + net::kMinFrame,
                                   net::kMaxFrame};
  const auto image = input.take_bytes(kBytes);
  const QueueSetup setup{.size = (flags & 4) != 0 ? queue_size : std::bit_floor(queue_size),
                         .descriptors = test::kUser + descriptors,
                         .available = test::kUser + available,
                         .used = test::kUser + used,
                         .event_index = (flags & 1) != 0,
                         .indirect = (flags & 2) != 0,
                         .packed = (flags & 4) != 0};
  const NetFormat format{.header_bytes = (flags & 8) != 0 ? 12U : 10U,
                         .mergeable = (flags & 24) == 24};
  const auto lay_out = [&] {
    std::memset(guest.file.at(0), 0, kBytes);
    std::memcpy(guest.file.at(0), image.data(), image.size());
  };

  lay_out();
  NetTransmitQueue transmit;
  if (transmit.start(guest.memory, setup, base) != Status::Ok) return 0;
  transmit.enable(true);
  for (int i = 0; i < 4; ++i) {
    (void)transmit.pass(guest.memory, i == 3 ? nullptr : &port.device, 0, format);
    port.take_all();
    transmit.publish();
  }
  (void)transmit.arm();
  transmit.disarm();
  (void)transmit.stop();

  lay_out();
  NetReceiveQueue receive;
  if (receive.start(guest.memory, setup, base) != Status::Ok) return 0;
  receive.enable(true);
  for (const std::uint32_t length : lengths) {
    frontend::Frame frame;
    frame.length = length;
    for (std::uint32_t at = 0; at < length; at += 4096) {
      frame.parts[frame.part_count++] =
          std::span(payload).subspan(at, std::min<std::uint32_t>(4096, length - at));
    }
    (void)receive.deliver(guest.memory, frame, format);
    receive.publish();
    (void)receive.arm();
    receive.disarm();
  }
  (void)receive.stop();
  return 0;
}
