// SPDX-License-Identifier: Apache-2.0
// The switch's way out: a TAP's queue, or a packet socket on an interface. Both carry virtio's
// header, so segments and checksums pass through as they do between sessions.
//
// Nothing here blocks. An uplink that goes away is down() from the first call that shows it; then
// probe() is due every second. A packet socket finds its interface again by name, also one that was
// deleted and made anew; a TAP comes back when it is set up again, but not when it was deleted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "driver_vm/clock.h"
#include "driver_vm/engine/event_loop.h"
#include "driver_vm/net/frame.h"
#include "driver_vm/sandbox.h"
#include "protocols/posix/fd.h"

namespace cede::driver {

class Uplink final : private Event {
 public:
  enum class Kind : std::uint8_t { Tap, Packet };
  enum class Sent : std::uint8_t { Ok, Full, Refused, Down };
  static constexpr Duration kRetry = kSecond;

  // `fd`: a queue of a TAP with IFF_NO_PI and IFF_VNET_HDR, or a packet socket of the network
  // namespace in which interface `name` is. Throws SetupError. `loop` outlives the uplink.
  Uplink(Fd fd, Kind kind, std::string name, EventLoop& loop);

  // What it calls after set-up.
  [[nodiscard]] static DeviceCalls calls(Kind kind);
  // After EventLoop::start().
  void start();

  // What it takes: all offloads, with the tag in the frame.
  Sent write(const net::Header& header, const Pieces& pieces) noexcept;
  // May there be something to read?
  [[nodiscard]] bool readable() const noexcept { return readable_ && up_; }
  // The next frame. Its bytes are good until the next call. Empty: none now.
  [[nodiscard]] std::span<const std::byte> read(net::Header& header) noexcept;

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] bool up() const noexcept { return up_; }
  // Looks whether it is up again, if that is due.
  void probe(Instant now);
  [[nodiscard]] Instant retry_at() const noexcept { return retry_at_; }

 private:
  void complete(std::int32_t result, bool more) override;
  void adopt_tap();
  void adopt_packet_socket();
  [[nodiscard]] bool bind_by_name() noexcept;
  [[nodiscard]] bool present() noexcept;
  void failed(int error) noexcept;
  void give_up() noexcept;
  [[nodiscard]] std::size_t restore_tag(const void* auxiliary, std::size_t length) noexcept;

  Fd fd_;
  Kind kind_;
  std::string name_;
  EventLoop& loop_;
  std::size_t header_bytes_;
  int interface_ = 0;
  bool up_ = true;
  bool deleted_ = false;  // a TAP that is no more
  bool readable_ = true;
  Instant retry_at_ = kNever;
  std::vector<std::byte> buffer_;
  net::Header received_{};
};

}  // namespace cede::driver
