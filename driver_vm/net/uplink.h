// SPDX-License-Identifier: Apache-2.0
// The switch's way out: a TAP's queue, or a packet socket on an interface. Both carry virtio's
// header, so segments and checksums pass through as they do between sessions.
//
// Nothing here blocks. An uplink that goes away is not up() from the first call that shows it; then
// probe() is due every second. It comes back when the interface is set up again; one that was
// deleted, when whoever has the same open file puts another interface behind it: the supervisor.
// Nothing here could, which keeps the switch from all other interfaces.
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

  // `fd`: a queue of a TAP with IFF_NO_PI and IFF_VNET_HDR, or a packet socket that is bound to an
  // interface; it may be away. `name` is for messages, by default the TAP's own. Throws SetupError.
  // `loop` outlives the uplink.
  Uplink(Fd fd, Kind kind, std::string name, EventLoop& loop);

  // What it calls after set-up.
  [[nodiscard]] static DeviceCalls calls(Kind kind);
  // After EventLoop::start().
  void start();

  // What can be left undone in frames to be written (Offload bits): UDP's segments not everywhere.
  [[nodiscard]] std::uint32_t offloads() const noexcept { return offloads_; }
  // With the tag in the frame.
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
  void watch();
  [[nodiscard]] bool present() const noexcept;
  void failed(int error) noexcept;
  [[nodiscard]] std::size_t restore_tag(const void* auxiliary, std::size_t length) noexcept;

  Fd fd_;
  Kind kind_;
  std::string name_;
  EventLoop& loop_;
  std::size_t header_bytes_;
  std::uint32_t offloads_ = net::Offload::kAll;
  bool up_ = true;
  bool watched_ = false;  // by the loop
  bool readable_ = true;
  Instant retry_at_ = kNever;
  std::vector<std::byte> buffer_;
  net::Header received_{};
};

}  // namespace cede::driver
