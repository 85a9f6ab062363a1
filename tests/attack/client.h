// SPDX-License-Identifier: Apache-2.0
// What a hostile client has: its capability socket, and two sessions, of a disk and of a switch's
// port, that it connected honestly. Rings and regions are bare. One thread, unless an attack says
// otherwise.
#pragma once

#include <cstdint>
#include <memory>
#include <numeric>
#include <optional>
#include <span>
#include <vector>

#include "protocols/block.h"
#include "protocols/posix/doorbell.h"
#include "protocols/ring.h"
#include "tests/attack/stage.h"
#include "tests/support/broker_domain.h"
#include "tests/support/net_client.h"

namespace cede::attack {

struct Disk {
  using Ring = FrontRing<block::Request, block::Response>;

  Handle grant;
  Handle session;
  Geometry geometry;
  block::Info info;
  Fd region;
  Mapping memory;
  KickRinger kick;
  CallWaiter call;
  Ring ring;
  std::uint32_t next_id = 0;

  // A request that keeps to the protocol, for payload that begins at `page` of the data pages.
  [[nodiscard]] block::Request request(std::uint16_t type, std::uint64_t sector,
                                       std::uint32_t bytes = 4096, std::uint32_t page = 0);
  // Puts, publishes, and rings if that is due.
  void submit(const block::Request& request);
  void publish() {
    if (ring.publish()) kick.ring();
  }
  // The next answer, or nothing if none came within the time.
  [[nodiscard]] std::optional<block::Response> answer(int patience_ms = 5000);
  // Keeps `depth` requests made by `make(i)` in flight until `enough()`, or until the session's
  // end.
  template <class Make, class Enough>
  void keep_busy(std::uint32_t depth, Make make, Enough enough);
  [[nodiscard]] std::byte* ring_base() { return memory.data() + geometry.ring_offset(0); }
  [[nodiscard]] std::byte* slot(std::uint32_t index) {
    return ring_base() + RingShape::kSlots + std::size_t{index} * block::kSlotBytes;
  }
  [[nodiscard]] std::span<std::byte> payload() {
    return {memory.data() + geometry.data_offset(), geometry.bytes() - geometry.data_offset()};
  }
};

class Client {
 public:
  static constexpr Geometry kDiskGeometry{
      .pages = 1024, .rings = 1, .slot_bytes = block::kSlotBytes, .slots = 128};
  static constexpr Geometry kPortGeometry{
      .pages = 1024, .rings = 3, .slot_bytes = net::kSlotBytes, .slots = 256};

  // Waits for both grants and connects both. Throws std::runtime_error.
  Client(Fd capability, Stage& stage);

  // Reads its disk as fast as it goes until the arena gives the sign; and for ever.
  void behave_until_begun();
  void behave();

  [[nodiscard]] Stage& stage() { return stage_; }
  [[nodiscard]] test::Domain& broker() { return broker_; }
  [[nodiscard]] Disk& disk() { return *disk_; }
  [[nodiscard]] test::NetClient& port() { return *port_; }
  [[nodiscard]] Handle port_grant() const { return port_grant_; }
  [[nodiscard]] Handle port_session() const { return port_session_; }
  [[nodiscard]] const net::Info& port_info() const { return port_info_; }

  // One more session on a grant, connected as it should be; the grant must be free.
  [[nodiscard]] std::unique_ptr<Disk> connect_disk(Handle grant);
  // Lets a disk's session go as it should, and waits until the pages are home.
  void close(Disk& disk);
  // The same for the port, which is there no more; what of that comes after Closing; and a new
  // session of it.
  void close_port();
  void release_port();
  void connect_port();

  // Waits until that session is being ended (by default any), or the broker's socket is closed, and
  // says so to the arena. False: nothing of the kind within ten seconds.
  bool await_cut_off(Handle session = {});

 private:
  template <class Enough>
  void read_until(Enough enough);

  struct Connected {
    Handle session;
    test::SessionSide side;
    DeviceInfo info;
  };
  [[nodiscard]] Connected connect(Handle grant, const Geometry& geometry);
  // What comes before letting go of it, and after.
  void begin_close(Handle session);
  void finish_close(Handle session);

  Stage& stage_;
  test::Domain broker_;
  std::unique_ptr<Disk> disk_;
  Handle port_grant_;
  Handle port_session_;
  net::Info port_info_;
  std::unique_ptr<test::NetClient> port_;
};

template <class Make, class Enough>
void Disk::keep_busy(std::uint32_t depth, Make make, Enough enough) {
  std::vector<std::uint32_t> ids(depth);  // that are free
  std::iota(ids.begin(), ids.end(), 0);
  for (std::uint32_t made = 0; !enough();) {
    for (; !ids.empty(); ids.pop_back()) {
      block::Request request = make(made++);
      request.id = ids.back();
      ring.put(request);
    }
    publish();
    const std::optional<block::Response> first = answer();
    if (!first) return;
    ids.push_back(first->id);
    for (block::Response more; ring.in_flight() > 0 && ring.take(more) == Verdict::Ready;) {
      ids.push_back(more.id);
    }
  }
}

}  // namespace cede::attack
