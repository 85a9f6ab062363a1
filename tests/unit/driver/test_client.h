// SPDX-License-Identifier: Apache-2.0
// A client of the driver under test, on the bare ring: it can keep to the protocol or break it.
#pragma once

#include <poll.h>

#include <cstdint>
#include <cstring>
#include <deque>
#include <span>
#include <stdexcept>
#include <vector>

#include "protocols/block.h"
#include "protocols/posix/doorbell.h"
#include "protocols/posix/mapping.h"
#include "protocols/ring.h"
#include "protocols/session.h"
#include "tests/support/driver_program.h"
#include "tests/support/session_parts.h"

namespace cede::test {

class TestClient {
 public:
  using Front = FrontRing<block::Request, block::Response>;

  TestClient(const Geometry& geometry, OfferFds fds)
      : geometry_(geometry),
        region_(map(fds.region.get(), geometry.bytes())),
        kick_(std::move(fds.kick)),
        call_(std::move(fds.call)) {
    for (std::uint32_t i = 0; i < geometry.rings; ++i) {
      rings_.emplace_back(region_.data() + geometry.ring_offset(i), geometry.ring_shape());
    }
  }

  [[nodiscard]] Front& ring(std::uint32_t index = 0) { return rings_[index]; }
  [[nodiscard]] const Geometry& geometry() const { return geometry_; }
  [[nodiscard]] std::byte* memory() const { return region_.data(); }
  // Payload bytes [offset, offset + length), counted from the start of the payload.
  [[nodiscard]] std::span<std::byte> payload(std::uint64_t offset, std::size_t length) const {
    return {region_.data() + geometry_.data_offset() + offset, length};
  }
  [[nodiscard]] std::uint64_t at(std::uint64_t payload_offset) const {
    return geometry_.data_offset() + payload_offset;
  }

  void put(const block::Request& request, std::uint32_t ring = 0) { rings_[ring].put(request); }
  void publish(std::uint32_t ring = 0) {
    if (rings_[ring].publish()) kick();
  }
  void kick() { kick_.ring(); }

  // The next response of that ring; throws when none comes.
  block::Response response(std::uint32_t ring = 0) {
    block::Response response;
    while (true) {
      if (taken(rings_[ring].take(response))) return response;
      if (taken(rings_[ring].arm())) continue;
      pollfd bell{.fd = call_.fd(), .events = POLLIN, .revents = 0};
      if (::poll(&bell, 1, kPatience) != 1) throw std::runtime_error("no response");
      call_.clear();
    }
  }

  // One request at a time.
  std::uint32_t run(const block::Request& request, std::uint32_t ring = 0) {
    put(request, ring);
    publish(ring);
    const block::Response answer = response(ring);
    if (answer.id != request.id) throw std::runtime_error("the response is another request's");
    return answer.status;
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

  Geometry geometry_;
  Mapping region_;
  KickRinger kick_;
  CallWaiter call_;
  std::deque<Front> rings_;
};

}  // namespace cede::test
