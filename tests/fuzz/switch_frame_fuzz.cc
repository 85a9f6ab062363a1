// SPDX-License-Identifier: Apache-2.0
// Any bytes with any header through a port of the switch: what comes out is the sender's own frame,
// in a form that its receiver said it understands.
#include <memory>
#include <vector>

#include "driver_vm/net/delivery.h"
#include "driver_vm/net/flow_hash.h"
#include "driver_vm/net/port_spec.h"
#include "tests/fuzz/fuzz_input.h"

using namespace cede;        // NOLINT: a fuzz target is one function
using namespace cede::fuzz;  // NOLINT
using driver::Frame;

namespace {

using Bytes = std::vector<std::byte>;

Bytes joined(const driver::Pieces& pieces) {
  Bytes bytes;
  for (const auto& piece : pieces) bytes.insert(bytes.end(), piece.begin(), piece.end());
  return bytes;
}

// What a receiver relies on, whoever the sender is.
void check_delivery(const driver::PortSpec& port, driver::ReceiverForm form,
                    const net::Header& header, const Bytes& bytes) {
  const auto length = static_cast<std::uint32_t>(bytes.size());
  require(length >= net::kMinFrame && length <= net::kMaxFrame, "a frame has a frame's length");
  require(net::consistent(header, length, form.offloads), "nothing the receiver does not know");
  const std::uint32_t headers = net::kHeaderBytes + (form.tagged ? driver::kTagBytes : 0);
  if (header.gso_type == VIRTIO_NET_HDR_GSO_NONE) {
    require(length - headers <= port.mtu, "no packet is longer than the sender's MTU");
  }
  require(port.spoofing || driver::mac_at(bytes.data() + 6) == driver::mac_of(port.mac),
          "the source address is locked");
  if (form.tagged) {
    require(bytes[12] == std::byte{0x81} && bytes[13] == std::byte{0}, "a tag where one is wanted");
    const auto vlan = static_cast<std::uint16_t>(
        (static_cast<unsigned>(bytes[14]) << 8 | static_cast<unsigned>(bytes[15])) &
        driver::kVlanMask);
    require(port.carries(vlan), "the VLAN is one of the port's");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  const auto choice = input.take<std::uint8_t>();
  driver::PortSpec port;
  port.mac = {{0x52, 0x54, 0, 0, 0, 1}};
  port.spoofing = (choice & 1) != 0;
  if ((choice & 2) != 0) port.ipv4 = 0x0100000A;
  if ((choice & 12) == 4) port.vlan = 5;
  if ((choice & 12) == 8) {
    port.trunk = true;
    port.vlans.set(5).set(6);
  }
  driver::ReceiverForm form{.offloads = input.take<std::uint8_t>() & net::Offload::kAll,
                            .tagged = (choice & 16) != 0};
  if ((form.offloads & net::Offload::kChecksum) == 0) form.offloads = 0;
  port.mtu = std::max(input.take<std::uint16_t>(), net::kMinMtu);
  const auto header = input.take<net::Header>();
  const auto more = input.take<std::uint16_t>();  // zeros, for long frames from short inputs

  // Exactly as long as the frame: the address sanitizer sees one byte too many.
  const auto given = input.take_bytes(SIZE_MAX);
  const std::size_t length = given.size() + more;
  const std::unique_ptr<std::byte[]> bytes(new std::byte[length]{});
  if (!given.empty()) std::memcpy(bytes.get(), given.data(), given.size());

  Frame frame;
  if (!frame.load(header, bytes.get(), static_cast<std::uint32_t>(length))) return 0;
  (void)driver::flow_hash(frame);
  if (driver::refuse(port, frame)) return 0;
  const std::uint32_t expected = frame.length();
  const std::uint32_t cuts = frame.wire_frames();
  const std::uint32_t headers = frame.segmented() ? frame.payload() : 0;
  std::uint32_t count = 0;
  std::size_t payload = 0;
  driver::deliver(frame, form, [&](const net::Header& words, const driver::Pieces& pieces) {
    const Bytes one = joined(pieces);
    check_delivery(port, form, words, one);
    payload += one.size() - headers - (form.tagged ? driver::kTagBytes : 0);
    require(payload <= expected - headers, "no byte beyond the frame");
    ++count;
    return true;
  });
  require(count == 1 || count == cuts, "as many cuts as were counted");
  require(payload == expected - headers, "every byte once");
  return 0;
}
