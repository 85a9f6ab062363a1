// SPDX-License-Identifier: Apache-2.0
// An honest switch of two ports in a thread: whatever one sends the other gets, as it is.
#pragma once

#include <poll.h>

#include <array>
#include <atomic>
#include <cstring>
#include <deque>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "protocols/net.h"
#include "protocols/posix/doorbell.h"
#include "protocols/posix/mapping.h"
#include "protocols/ring.h"
#include "tests/support/client_session.h"

namespace cede::test {

class StubSwitch {
 public:
  struct Port {
    explicit Port(const Geometry& geometry)
        : parts(make_session_parts(geometry)),
          region(*Mapping::map(parts.driver.region.get(), geometry.bytes())),
          kick(std::move(parts.driver.kick)),
          call(std::move(parts.driver.call)),
          control(ring(net::kControlRing), geometry.ring_shape()) {
      for (std::uint16_t i = 0; i < geometry.rings; ++i) format_ring(ring(i));
      for (std::uint16_t i = 0; net::rings_for(i) < geometry.rings; ++i) {
        transmit.emplace_back(ring(net::transmit_ring(i)), geometry.ring_shape());
        receive.emplace_back(ring(net::receive_ring(i)), geometry.ring_shape());
      }
      buffers.resize(receive.size());
    }
    [[nodiscard]] std::byte* ring(std::uint16_t index) const {
      return region.data() + parts.geometry.ring_offset(index);
    }

    SessionParts parts;
    Mapping region;
    KickWaiter kick;
    CallRinger call;
    BackRing<net::Control, net::Controlled> control;
    std::deque<BackRing<net::Transmit, net::Transmitted>> transmit;
    std::deque<BackRing<net::Buffer, net::Received>> receive;
    std::vector<std::deque<net::Buffer>> buffers;  // taken, of each receive ring
    std::optional<net::Control> awaiting;
    std::atomic<std::uint64_t> link = net::LinkState{true, 9000}.value();
    std::atomic<std::uint64_t> frames = 0;      // from this port
    std::atomic<std::uint64_t> segments = 0;    // of them, longer than 60000 bytes
    std::atomic<std::uint64_t> used_pairs = 0;  // bit n: queue pair n has sent
  };

  explicit StubSwitch(const Geometry& geometry) : ports_{Port(geometry), Port(geometry)} {}
  ~StubSwitch() { stop(); }
  StubSwitch(const StubSwitch&) = delete;
  StubSwitch& operator=(const StubSwitch&) = delete;

  [[nodiscard]] Port& port(std::size_t index) { return ports_[index]; }
  // The client's end; once for each port.
  [[nodiscard]] frontend::Session connect(std::size_t index) {
    net::Info info;
    info.mac = {{0x02, 0, 0, 0, 0, static_cast<std::uint8_t>(index + 1)}};
    const auto link = net::LinkState::of(ports_[index].link);
    info.mtu = link.mtu;
    info.link_up = link.up ? 1 : 0;
    info.offloads = net::Offload::kAll;
    return open_client(ports_[index].parts, info);
  }
  void start() {
    thread_ = std::thread([this] { serve(); });
  }
  void stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }
  // Seen within 20 ms.
  void set_link(std::size_t index, net::LinkState link) { ports_[index].link = link.value(); }

 private:
  void serve() {
    while (!stop_) {
      bool moved = false;
      for (std::size_t i = 0; i < 2; ++i) moved |= turn(ports_[i], ports_[1 - i]);
      if (moved) continue;
      bool ready = false;
      for (Port& port : ports_) {
        for (auto& ring : port.transmit) ready |= ring.arm() != Verdict::Empty;
        ready |= port.control.arm() != Verdict::Empty;
      }
      if (ready) continue;
      std::array<pollfd, 2> bells{
          {{ports_[0].kick.fd(), POLLIN, 0}, {ports_[1].kick.fd(), POLLIN, 0}}};
      ::poll(bells.data(), bells.size(), 20);
      for (Port& port : ports_) port.kick.clear();
    }
  }

  static bool turn(Port& from, Port& to) {
    bool moved = false;
    bool call_from = false;
    bool call_to = false;
    for (std::size_t i = 0; i < from.transmit.size(); ++i) {
      net::Transmit frame;
      for (int n = 0; n < 64 && from.transmit[i].take(frame) == Verdict::Ready; ++n) {
        moved = true;
        ++from.frames;
        if (frame.length > 60'000) ++from.segments;
        from.used_pairs |= 1ULL << i;
        deliver(from.region.data() + frame.offset, frame, to, i);
        from.transmit[i].put({});
      }
      call_from |= from.transmit[i].publish();
      call_to |= to.receive[i].publish();
    }
    call_from |= answer_control(from);
    if (call_from) from.call.ring();
    if (call_to) to.call.ring();
    return moved;
  }

  static void deliver(const std::byte* bytes, const net::Transmit& frame, Port& to,
                      std::size_t pair) {
    std::deque<net::Buffer>& buffers = to.buffers[pair];
    net::Buffer buffer;
    while (to.receive[pair].take(buffer) == Verdict::Ready) buffers.push_back(buffer);
    const std::size_t parts = (frame.length + net::kBufferBytes - 1) / net::kBufferBytes;
    if (buffers.size() < parts) return;
    net::Received received;
    received.header = frame.header;
    received.header.num_buffers = static_cast<std::uint16_t>(parts);
    for (std::uint32_t done = 0; done < frame.length; done += received.length) {
      buffer = buffers.front();
      buffers.pop_front();
      received.length = std::min(frame.length - done, buffer.length);
      std::memcpy(to.region.data() + buffer.offset, bytes + done, received.length);
      to.receive[pair].put(received);
      received.header = {};
    }
  }

  static bool answer_control(Port& port) {
    net::Control request;
    while (port.control.take(request) == Verdict::Ready) {
      if (request.type == net::Control::Type::AwaitLink) {
        port.awaiting = request;
      } else {
        port.control.put({.id = request.id});
      }
    }
    const std::uint64_t link = port.link;
    if (port.awaiting && port.awaiting->value != link) {
      port.control.put({.id = port.awaiting->id, .value = link});
      port.awaiting.reset();
    }
    return port.control.publish();
  }

  std::array<Port, 2> ports_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

}  // namespace cede::test
