// SPDX-License-Identifier: Apache-2.0
// One client's rings as the multiplexer serves them: takes and judges requests, keeps to the
// volume's limits, and answers.
//
// A long transfer is served piece by piece, in turn with the other clients' requests, and answered
// when the last of its pieces is done.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "driver_vm/block/request_check.h"
#include "driver_vm/block/volume.h"
#include "driver_vm/session_host/device_service.h"
#include "driver_vm/session_host/hosted_session.h"
#include "driver_vm/token_bucket.h"
#include "protocols/bell_guard.h"
#include "protocols/block.h"

namespace cede::driver {

class BlockService;

class BlockSession final : public DeviceSession {
 public:
  // A request that was taken: whom to answer, and how far it is.
  struct Taken {
    std::uint32_t ring = 0;
    block::Request request;
    std::uint32_t begun = 0;  // bytes of its pieces before the next one; 0: it is new
    Instant since = 0;        // when its first piece was begun
  };

  // `slot` is its place in the service's tables. All references outlive the session.
  BlockSession(BlockService& service, std::uint32_t slot, HostedSession& host, const Volume& volume,
               const block::Info& info);
  ~BlockSession() override;

  void start() override { serving_ = true; }
  void stop() override;
  [[nodiscard]] bool drained() const override {
    return in_flight_ == 0 && !unpublished_ && !call_owed_;
  }

  [[nodiscard]] std::uint32_t slot() const noexcept { return slot_; }
  [[nodiscard]] const Volume& volume() const noexcept { return volume_; }
  [[nodiscard]] const block::Info& info() const noexcept { return info_; }
  [[nodiscard]] HostedSession& host() const noexcept { return host_; }

  // May it be served now, and is there a request (or a verdict to be found)?
  [[nodiscard]] bool ready(Instant now) noexcept;
  // May another request be taken? No: it is parked until its limits allow one.
  [[nodiscard]] bool within_limits(Instant now) noexcept;
  // Takes one request, the rings in turn; before any other, what is left of the last one. Broken:
  // the session is rejected. Empty also where the next request has to wait: an operation that moves
  // nothing is the work of the kernel's workers, out of the scheduler's sight, so a session has one
  // of them under way, and takes nothing beyond the next one before that is done.
  [[nodiscard]] Verdict take(Taken& taken) noexcept;
  // Of what was just taken, a piece of so many bytes is begun, and the rest is still to come.
  void keep_rest(const Taken& taken, std::uint32_t piece) noexcept;
  // Is such an operation under way?
  void set_busy_aside(bool busy) noexcept { busy_aside_ = busy; }
  void reject(std::string_view reason) noexcept;
  // Count against the limits.
  void charge_operation() noexcept { operations_.take(1); }
  void charge_bytes(std::uint64_t bytes) noexcept { bytes_.take(bytes); }

  // A request, or a piece of one, is done. Returns the status that the client is answered with, if
  // that was the last piece: an error, if any of them had one.
  std::optional<std::uint32_t> done(std::uint32_t ring, std::uint32_t id,
                                    std::uint32_t status) noexcept;
  // True: there was something to show. The client may have to be called for it.
  bool publish() noexcept;
  // Calls the client if it asked to be, but once for the whole of a burst, and once at its end.
  void call(bool burst_over) noexcept;
  // False: there is work.
  [[nodiscard]] bool arm() noexcept;
  [[nodiscard]] Instant deadline() const noexcept { return serving_ ? parked_until_ : kNever; }

 private:
  // What is known of an id.
  struct Flight {
    std::uint16_t pieces = 0;  // not done yet, one for all that are to come; 0: not in flight
    bool abandoned = false;    // is not answered: it was not begun, or not to its end
    std::uint32_t status = VIRTIO_BLK_S_OK;
  };
  struct Ring {
    GuardedRing<BackRing<block::Request, block::Response>> ring;
    std::vector<Flight> flights;  // by id
  };

  // What is held has to wait for the operation aside.
  [[nodiscard]] bool waits_aside() const noexcept {
    return held_ && busy_aside_ && !held_->request.transfers();
  }

  BlockService& service_;
  std::uint32_t slot_;
  HostedSession& host_;
  const Volume& volume_;
  block::Info info_;
  std::vector<Ring> rings_;
  std::uint32_t next_ring_ = 0;
  std::uint32_t in_flight_ = 0;
  std::optional<Taken> held_;  // the rest of a transfer, or what waits for the operation aside
  bool busy_aside_ = false;
  bool serving_ = false;
  bool unpublished_ = false;
  bool call_owed_ = false;
  bool called_ = false;  // in this burst
  TokenBucket operations_;
  TokenBucket bytes_;
  Instant parked_until_ = kNever;  // kNever: not parked
};

}  // namespace cede::driver
