// SPDX-License-Identifier: Apache-2.0
// A port whose switch is the test itself, step by step.
#pragma once

#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <span>
#include <vector>

#include "frontend/net/net_device.h"
#include "protocols/net.h"
#include "protocols/ring.h"
#include "tests/support/client_session.h"

namespace cede::frontend {

[[nodiscard]] inline net::Info port_info(std::uint16_t mtu = 1500) {
  net::Info info;
  info.mac = {{0x02, 0, 0, 0, 0, 1}};
  info.mtu = mtu;
  info.offloads = net::Offload::kAll;
  info.link_up = 1;
  return info;
}

struct ScriptedPort {
  static constexpr std::uint32_t kSlots = 64;

  explicit ScriptedPort(const net::Info& info = port_info(),
                        const Geometry& geometry = net::port_geometry(1, kSlots))
      : parts(test::make_session_parts(geometry)),
        region(*Mapping::map(parts.driver.region.get(), geometry.bytes())),
        control(ring(net::kControlRing), geometry.ring_shape()),
        transmit(ring(net::transmit_ring(0)), geometry.ring_shape()),
        receive(ring(net::receive_ring(0)), geometry.ring_shape()),
        device(attach(info)) {}

  [[nodiscard]] std::byte* ring(std::uint16_t index) const {
    return region.data() + parts.geometry.ring_offset(index);
  }
  Result<NetDevice> attach(const net::Info& info) {
    for (std::uint16_t i = 0; i < parts.geometry.rings; ++i) format_ring(ring(i));
    return NetDevice::attach(test::open_client(parts, info));
  }

  // The frame that the client sent next, with its bytes; unanswered.
  struct Sent {
    net::Transmit request;
    std::vector<std::byte> bytes;
  };
  std::optional<Sent> take() {
    Sent sent;
    if (transmit.take(sent.request) != cede::Verdict::Ready) return std::nullopt;
    const std::byte* const place = region.data() + sent.request.offset;
    sent.bytes.assign(place, place + sent.request.length);
    return sent;
  }
  void answer(net::Verdict verdict = net::Verdict::Taken) {
    transmit.put({.verdict = verdict});
    (void)transmit.publish();
  }

  // Delivers `frame` as an honest driver does: buffers filled one after the other.
  [[nodiscard]] bool deliver(std::span<const std::byte> frame, net::Header header = {}) {
    constexpr std::size_t kBytes = net::kBufferBytes;
    const std::size_t buffers = (frame.size() + kBytes - 1) / kBytes;
    header.num_buffers = static_cast<std::uint16_t>(buffers);
    for (std::size_t i = 0; i < buffers; ++i) {
      net::Buffer buffer;
      if (receive.take(buffer) != cede::Verdict::Ready) return false;
      const auto part = frame.subspan(i * kBytes)
                            .first(std::min<std::size_t>(frame.size() - i * kBytes, buffer.length));
      std::memcpy(region.data() + buffer.offset, part.data(), part.size());
      receive.put({.length = static_cast<std::uint32_t>(part.size()),
                   .header = i == 0 ? header : net::Header{}});
    }
    (void)receive.publish();
    return true;
  }
  // Takes one buffer and answers it as told, whatever it is.
  void answer_buffer(const net::Received& received) {
    net::Buffer buffer;
    if (receive.take(buffer) == cede::Verdict::Ready) receive.put(received);
  }

  [[nodiscard]] std::vector<net::Control> take_control() {
    std::vector<net::Control> requests;
    net::Control request;
    while (control.take(request) == cede::Verdict::Ready) requests.push_back(request);
    return requests;
  }
  void answer_control(const net::Controlled& answer) {
    control.put(answer);
    (void)control.publish();
  }

  // How often the driver was rung since the last look.
  [[nodiscard]] unsigned kicks() const {
    unsigned count = 0;
    char bell = 0;
    while (::recv(parts.driver.kick.get(), &bell, sizeof bell, MSG_DONTWAIT) > 0) ++count;
    return count;
  }

  test::SessionParts parts;
  Mapping region;
  BackRing<net::Control, net::Controlled> control;
  BackRing<net::Transmit, net::Transmitted> transmit;
  BackRing<net::Buffer, net::Received> receive;
  Result<NetDevice> device;
};

[[nodiscard]] inline std::vector<std::byte> pattern(std::size_t length, unsigned seed = 1) {
  std::vector<std::byte> bytes(length);
  for (std::size_t i = 0; i < length; ++i) bytes[i] = static_cast<std::byte>(i * 31 + seed);
  return bytes;
}

[[nodiscard]] inline std::vector<std::byte> join(const Frame& frame) {
  std::vector<std::byte> bytes;
  for (std::uint32_t i = 0; i < frame.part_count; ++i) {
    bytes.insert(bytes.end(), frame.parts[i].begin(), frame.parts[i].end());
  }
  return bytes;
}

// Sends `bytes`; false: no room.
[[nodiscard]] inline bool send(NetDevice& device, std::span<const std::byte> bytes,
                               const net::Header& header = {}, std::uint16_t pair = 0) {
  const auto room = device.reserve(pair, static_cast<std::uint32_t>(bytes.size()));
  if (room.empty()) return false;
  std::memcpy(room.data(), bytes.data(), bytes.size());
  device.send(pair, static_cast<std::uint32_t>(bytes.size()), header);
  return true;
}

// The header of a plain frame in so many buffers.
[[nodiscard]] constexpr net::Header in_parts(std::uint16_t parts) {
  net::Header header{};
  header.num_buffers = parts;
  return header;
}

[[nodiscard]] inline net::Header tso4_header() {
  net::Header header{};
  header.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
  header.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
  header.hdr_len = 66;
  header.gso_size = 1448;
  header.csum_start = 34;
  header.csum_offset = 16;
  return header;
}

}  // namespace cede::frontend
