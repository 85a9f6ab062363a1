// SPDX-License-Identifier: Apache-2.0
// QEMU's end of the ivshmem server protocol, in a test's hands; and regions to serve.
#pragma once

#include <endian.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "protocols/posix/channel.h"
#include "protocols/posix/fd.h"

namespace cede::test {

// A memfd as the broker offers it: it can neither shrink nor grow.
inline Fd make_region(std::uint64_t bytes, int seals = F_SEAL_SHRINK | F_SEAL_GROW,
                      const char* name = "region") {
  Fd region(::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  EXPECT_EQ(::ftruncate(region.get(), static_cast<off_t>(bytes)), 0);
  EXPECT_EQ(::fcntl(region.get(), F_ADD_SEALS, seals), 0);
  return region;
}

// The stream pair that a bell device's set-up goes through.
struct BellSocket {
  BellSocket() {
    std::array<int, 2> pair{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()), 0);
    server = Fd(pair[0]);
    client = Fd(pair[1]);
  }
  Fd server;
  Fd client;  // QEMU's
};

struct IvshmemMessage {
  std::int64_t value = 0;
  Fd descriptor{};
};

// The next message; nothing if there is no whole one now.
inline std::optional<IvshmemMessage> next_message(int socket) {
  std::uint64_t wire = 0;
  Result<Packet> packet = receive_packet(socket, std::as_writable_bytes(std::span(&wire, 1)), 2);
  if (!packet || packet->bytes != sizeof wire || packet->fd_count > 1) return std::nullopt;
  return IvshmemMessage{.value = static_cast<std::int64_t>(le64toh(wire)),
                        .descriptor = std::move(packet->fds[0])};
}

// What a device has once it has read all that is queued.
struct IvshmemPeer {
  explicit IvshmemPeer(int socket) {
    while (std::optional<IvshmemMessage> message = next_message(socket)) {
      messages.push_back(*std::move(message));
    }
  }
  [[nodiscard]] int shared_memory() const { return messages.at(2).descriptor.get(); }
  [[nodiscard]] std::size_t bells() const { return (messages.size() - 3) / 2; }
  [[nodiscard]] int doorbell(std::size_t bell) const {
    return messages.at(3 + bell).descriptor.get();
  }
  [[nodiscard]] int vector(std::size_t bell) const {
    return messages.at(3 + bells() + bell).descriptor.get();
  }
  std::vector<IvshmemMessage> messages{};
};

inline bool readable(int fd, int milliseconds = 0) {
  pollfd entry{.fd = fd, .events = POLLIN, .revents = 0};
  return ::poll(&entry, 1, milliseconds) == 1 && (entry.revents & POLLIN) != 0;
}

}  // namespace cede::test
