// SPDX-License-Identifier: Apache-2.0
// A client of the switch under test, on the bare rings: it can keep to the protocol or break it.
#pragma once

#include <poll.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <optional>
#include <span>
#include <stdexcept>
#include <utility>
#include <vector>

#include "protocols/net.h"
#include "protocols/posix/doorbell.h"
#include "protocols/posix/mapping.h"
#include "protocols/ring.h"
#include "protocols/session.h"
#include "tests/support/session_parts.h"

namespace cede::test {

using Bytes = std::vector<std::uint8_t>;

struct ReceivedFrame {
  net::Header header{};
  Bytes bytes;
  std::vector<std::uint32_t> parts;  // their lengths
};

class NetClient {
 public:
  using TransmitRing = FrontRing<net::Transmit, net::Transmitted>;
  using ReceiveRing = FrontRing<net::Buffer, net::Received>;
  using ControlRing = FrontRing<net::Control, net::Controlled>;
  static constexpr std::uint32_t kTransmitBytes = 128 << 10;  // at the end of the payload
  static constexpr int kPatienceMs = 20'000;

  NetClient(const Geometry& geometry, OfferFds fds)
      : NetClient(geometry, map(fds.region.get(), geometry.bytes()), std::move(fds)) {}
  // With a mapping that was made before the region was sealed.
  NetClient(const Geometry& geometry, Mapping region, OfferFds&& fds)
      : geometry_(geometry),
        region_(std::move(region)),
        kick_(std::move(fds.kick)),
        call_(std::move(fds.call)),
        control_(ring_at(net::kControlRing), geometry.ring_shape()),
        next_buffer_(geometry.data_offset()),
        next_frame_(geometry.bytes() - kTransmitBytes) {
    for (std::uint16_t pair = 0; pair < geometry.rings / 2; ++pair) {
      transmit_.emplace_back(ring_at(net::transmit_ring(pair)), geometry.ring_shape());
      receive_.emplace_back(ring_at(net::receive_ring(pair)), geometry.ring_shape());
      posted_.emplace_back();
    }
  }

  [[nodiscard]] const Geometry& geometry() const { return geometry_; }
  [[nodiscard]] std::byte* memory() const { return region_.data(); }
  [[nodiscard]] std::byte* ring_at(std::uint32_t ring) const {
    return region_.data() + geometry_.ring_offset(ring);
  }
  [[nodiscard]] TransmitRing& transmit(std::uint16_t pair = 0) { return transmit_[pair]; }
  [[nodiscard]] ReceiveRing& receive_ring(std::uint16_t pair = 0) { return receive_[pair]; }
  [[nodiscard]] ControlRing& control() { return control_; }
  void kick() { kick_.ring(); }

  // Buffers for frames, each at a place of its own.
  void post(std::uint32_t count, std::uint32_t length = 2048, std::uint16_t pair = 0) {
    for (std::uint32_t i = 0; i < count; ++i) {
      if (next_buffer_ + length > geometry_.bytes() - kTransmitBytes) {
        next_buffer_ = geometry_.data_offset();
      }
      post_at(static_cast<std::uint32_t>(next_buffer_), length, pair);
      next_buffer_ += length;
    }
    publish(receive_[pair]);
  }
  void post_at(std::uint32_t offset, std::uint32_t length, std::uint16_t pair = 0) {
    receive_[pair].put({.offset = offset, .length = length});
    posted_[pair].push_back(offset);
  }

  // Where frames to be sent are written; the same room is used over and over.
  [[nodiscard]] std::uint32_t room() const { return static_cast<std::uint32_t>(next_frame_); }
  net::Verdict send(const Bytes& frame, const net::Header& header = {}, std::uint16_t pair = 0) {
    put(frame, header, pair);
    publish(transmit_[pair]);
    return verdict(pair);
  }
  void put(const Bytes& frame, const net::Header& header = {}, std::uint16_t pair = 0,
           std::uint32_t at = 0) {
    std::memcpy(region_.data() + room() + at, frame.data(), frame.size());
    transmit_[pair].put({.offset = room() + at,
                         .length = static_cast<std::uint32_t>(frame.size()),
                         .header = header,
                         .reserved = {}});
  }
  net::Verdict send_slot(const net::Transmit& slot, std::uint16_t pair = 0) {
    transmit_[pair].put(slot);
    publish(transmit_[pair]);
    return verdict(pair);
  }
  net::Verdict verdict(std::uint16_t pair = 0) { return await(transmit_[pair]).verdict; }

  // The next frame; throws when none comes.
  ReceivedFrame receive(std::uint16_t pair = 0) {
    net::Received first = await(receive_[pair]);
    ReceivedFrame frame;
    frame.header = first.header;
    for (std::uint16_t part = 1;; ++part) {
      if (posted_[pair].empty()) throw std::runtime_error("more answers than buffers");
      const std::byte* const from = region_.data() + posted_[pair].front();
      posted_[pair].pop_front();
      const auto* bytes = reinterpret_cast<const std::uint8_t*>(from);
      frame.bytes.insert(frame.bytes.end(), bytes, bytes + first.length);
      frame.parts.push_back(first.length);
      if (part >= frame.header.num_buffers) return frame;
      // The parts of a frame are published together.
      if (!taken(receive_[pair].take(first))) throw std::runtime_error("half a frame");
    }
  }
  // Nothing has arrived, and the driver has answered everything before.
  [[nodiscard]] bool silent(std::uint16_t pair = 0) {
    return receive_[pair].peek() == Verdict::Empty;
  }

  net::Controlled ask(net::Control::Type type, std::uint64_t value, std::uint32_t id = 0) {
    control_.put({.type = type, .reserved = 0, .id = id, .value = value});
    publish(control_);
    return await(control_);
  }
  [[nodiscard]] net::Controlled controlled() { return await(control_); }

  template <class Ring>
  void publish(Ring& ring) {
    if (ring.publish()) kick();
  }

 private:
  static Mapping map(int fd, std::size_t size) {
    Result<Mapping> mapping = Mapping::map(fd, size);
    if (!mapping) throw std::runtime_error("cannot map the test region");
    return *std::move(mapping);
  }
  static bool taken(Verdict verdict) {
    if (verdict == Verdict::Broken) throw std::runtime_error("the driver broke the ring");
    return verdict == Verdict::Ready;
  }
  template <class Request, class Response>
  Response await(FrontRing<Request, Response>& ring) {
    Response response;
    while (true) {
      if (taken(ring.take(response))) return response;
      if (taken(ring.arm())) continue;
      pollfd bell{.fd = call_.fd(), .events = POLLIN, .revents = 0};
      if (::poll(&bell, 1, kPatienceMs) != 1) throw std::runtime_error("no answer");
      call_.clear();
    }
  }

  Geometry geometry_;
  Mapping region_;
  KickRinger kick_;
  CallWaiter call_;
  ControlRing control_;
  std::deque<TransmitRing> transmit_;
  std::deque<ReceiveRing> receive_;
  std::deque<std::deque<std::uint32_t>> posted_;
  std::uint64_t next_buffer_;
  std::uint64_t next_frame_;
};

}  // namespace cede::test
