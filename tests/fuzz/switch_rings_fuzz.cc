// SPDX-License-Identifier: Apache-2.0
// One session's transmit ring and another's receive ring, and clients that write anything anywhere
// in both: the switch copies frames from payload to payload, and touches nothing else.
#include <memory>
#include <new>

#include "driver_vm/net/delivery.h"
#include "driver_vm/net/receive_queue.h"
#include "driver_vm/net/transmit_queue.h"
#include "tests/fuzz/fuzz_input.h"

using namespace cede;        // NOLINT: a fuzz target is one function
using namespace cede::fuzz;  // NOLINT

namespace {

constexpr Geometry kGeometry{
    .pages = 32, .rings = net::rings_for(1), .slot_bytes = net::kSlotBytes, .slots = 16};
constexpr std::uint16_t kTransmit = net::transmit_ring(0);
constexpr std::uint16_t kReceive = net::receive_ring(0);

struct Free {
  void operator()(std::byte* memory) const {
    ::operator delete[](memory, std::align_val_t{kPageBytes});
  }
};

// Exactly as large as the region: the address sanitizer sees one byte too many.
[[nodiscard]] std::byte* new_region() {
  auto* const region = new (std::align_val_t{kPageBytes}) std::byte[kGeometry.bytes()]{};
  for (const std::uint16_t ring : {kTransmit, kReceive}) {
    format_ring(region + kGeometry.ring_offset(ring));
  }
  return region;
}

class Clients {
 public:
  Clients(std::byte* sender, std::byte* receiver) : sender_(sender), receiver_(receiver) {}

  void acts(Input& input) {
    switch (input.below(5)) {
      case 0:  // a frame, anywhere
        write(slot(kTransmit, next_[0]++), input.take<net::Transmit>());
        publish(kTransmit, next_[0]);
        break;
      case 1: {  // a frame that might be honest
        net::Transmit request = input.take<net::Transmit>();
        request.offset = data() + request.offset % 4096;
        request.length %= 70'000;
        write(slot(kTransmit, next_[0]++), request);
        publish(kTransmit, next_[0]);
        break;
      }
      case 2:  // a buffer, anywhere
        write(slot(kReceive, next_[1]++), input.take<net::Buffer>());
        publish(kReceive, next_[1]);
        break;
      case 3: {  // a buffer that might be honest
        net::Buffer buffer = input.take<net::Buffer>();
        buffer.offset = data() + buffer.offset % 65536;
        buffer.length = net::kMinBuffer + buffer.length % 4096;
        write(slot(kReceive, next_[1]++), buffer);
        publish(kReceive, next_[1]);
        break;
      }
      default:  // a producer, anywhere
        publish(input.below(2) == 0 ? kTransmit : kReceive, input.take<std::uint32_t>());
    }
  }
  // Neither ring's front line is ever written by the back, nor is the control ring.
  void check() const {
    for (const std::uint16_t ring : {kTransmit, kReceive}) {
      require(line(ring).load(std::memory_order_relaxed) == published_[ring == kTransmit ? 0 : 1],
              "the client's line is its own");
    }
    for (std::size_t i = 0; i < kGeometry.ring_stride(); ++i) {
      require((sender_[i] | receiver_[i]) == std::byte{}, "the control ring is not touched");
    }
  }

 private:
  [[nodiscard]] static std::uint32_t data() {
    return static_cast<std::uint32_t>(kGeometry.data_offset());
  }
  [[nodiscard]] std::byte* slot(std::uint16_t ring, std::uint32_t index) const {
    return memory_of(ring) + kGeometry.ring_offset(ring) + RingShape::kSlots +
           static_cast<std::size_t>(index % kGeometry.slots) * kGeometry.slot_bytes;
  }
  [[nodiscard]] SharedIndex line(std::uint16_t ring) const {
    return SharedIndex(memory_of(ring) + kGeometry.ring_offset(ring) + RingShape::kFrontLine);
  }
  template <class T>
  static void write(std::byte* place, const T& record) {
    SharedSlot<T>(place).copy_out(record);
  }
  void publish(std::uint16_t ring, std::uint32_t producer) {
    line(ring).store(producer, std::memory_order_relaxed);
    published_[ring == kTransmit ? 0 : 1] = producer;
  }

  [[nodiscard]] std::byte* memory_of(std::uint16_t ring) const {
    return ring == kTransmit ? sender_ : receiver_;
  }

  std::byte* sender_;
  std::byte* receiver_;
  std::uint32_t next_[2] = {};
  std::uint32_t published_[2] = {};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  const std::unique_ptr<std::byte[], Free> from(new_region());
  const std::unique_ptr<std::byte[], Free> to(new_region());
  BellGuard guard;
  driver::TransmitQueue transmit(from.get(), kGeometry, kTransmit, guard);
  driver::ReceiveQueue receive(to.get(), kGeometry, kReceive, guard);
  Clients clients(from.get(), to.get());
  const auto offloads = input.take<std::uint8_t>() & net::Offload::kAll;
  // Headers that fit a frame are improbable: the payload begins with one.
  const auto frame_bytes = input.take_bytes(128);
  if (!frame_bytes.empty()) {
    std::memcpy(from.get() + kGeometry.data_offset(), frame_bytes.data(), frame_bytes.size());
  }

  driver::Frame frame;
  while (!input.empty()) {
    clients.acts(input);
    if (input.below(3) != 0) continue;
    for (const net::Transmit& request : transmit.take()) {
      const std::optional<bool> loaded = transmit.load(request, frame);
      if (!loaded) return 0;  // the session ends
      bool broken = false;
      if (*loaded) {
        driver::deliver(frame, {.offloads = offloads, .tagged = false},
                        [&](const net::Header& header, const driver::Pieces& pieces) {
                          const auto put = receive.put(header, pieces);
                          broken = put == driver::ReceiveQueue::Put::Broken;
                          return put == driver::ReceiveQueue::Put::Ok;
                        });
      }
      transmit.answer(net::Verdict::Taken);
      if (broken) return 0;
    }
    (void)transmit.publish();
    (void)receive.publish();
    clients.check();
  }
  return 0;
}
