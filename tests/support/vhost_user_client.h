// SPDX-License-Identifier: Apache-2.0
// A small vhost-user-blk front-end: what QEMU and its guest are together, without either.
//
// Serves tests and benchmarks. Guest memory is a memfd: one area of rings, request headers and
// descriptor tables for each queue, then one of data. Split rings, indirect descriptors, event
// index, batches, several queues; the in-flight record where asked for. Works with any back-end of
// the kind (also qemu-storage-daemon's). What goes wrong throws std::runtime_error.
//
//   VhostUserClient client({.socket_path = path, .queues = 1});
//   client.start();
//   client.submit(0, {.type = VIRTIO_BLK_T_IN, .sector = 8, .buffer = 0, .bytes = 4096});
//   client.publish(0);
//   while (client.poll(0, done) == 0) client.wait(0, std::chrono::seconds(1));
//
// A queue belongs to one thread at a time; the rest is for one thread.
#pragma once

#include <linux/virtio_blk.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "frontend/vhost_user/protocol.h"
#include "frontend/vhost_user/virtio_ring.h"
#include "protocols/posix/fd.h"
#include "protocols/posix/mapping.h"
#include "tests/support/vhost_user_connection.h"

namespace cede::test {

class VhostUserClient {
 public:
  struct Options {
    std::string socket_path;
    std::uint16_t queues = 1;
    std::uint16_t queue_size = 128;
    std::uint64_t data_bytes = 16U << 20;
    bool event_index = true;
    bool indirect = true;        // otherwise a request takes segments + 2 descriptors of the ring
    bool inflight = false;       // SET_INFLIGHT_FD, for reconnect()
    bool memory_slots = true;    // ADD_MEM_REG where offered, else SET_MEM_TABLE
    std::uint16_t segments = 1;  // that a request's data is split into
    std::uint64_t without_features = 0;  // not to be accepted even if offered
    std::chrono::milliseconds patience = std::chrono::seconds(10);
  };

  struct Io {
    std::uint32_t type = VIRTIO_BLK_T_IN;
    std::uint64_t sector = 0;
    std::uint64_t buffer = 0;  // offset into data()
    std::uint32_t bytes = 0;
    std::uint64_t cookie = 0;
  };

  struct Done {
    std::uint64_t cookie = 0;
    std::uint8_t status = 0;
    std::uint32_t written = 0;
  };

  // Connects and negotiates.
  explicit VhostUserClient(Options options);
  ~VhostUserClient();

  [[nodiscard]] const virtio_blk_config& config() const noexcept { return config_; }
  [[nodiscard]] std::uint64_t features() const noexcept { return features_; }
  [[nodiscard]] std::uint64_t protocol_features() const noexcept { return protocol_features_; }
  [[nodiscard]] std::span<std::byte> data() const noexcept;
  [[nodiscard]] std::uint32_t depth() const noexcept;  // requests in flight on each queue, at most
  [[nodiscard]] VhostUserConnection& connection() noexcept { return *connection_; }
  [[nodiscard]] int memory_fd() const noexcept { return memory_fd_.get(); }

  // The rings' life. The first start shares the memory; fresh rings: a guest's driver begins anew.
  void start(bool fresh_rings = true);
  // One queue again, at the base that stop() returned.
  void restart_queue(std::uint16_t queue, std::uint16_t base);
  // Returns the base that the back-end says for each queue.
  std::vector<std::uint16_t> stop();
  // Drops the connection, as a dying back-end would, and makes a new one that goes on with the
  // requests in flight.
  void disconnect() noexcept { connection_.reset(); }
  void reconnect();

  // False: depth() requests are in flight. Invisible to the back-end until publish().
  bool submit(std::uint16_t queue, const Io& io) noexcept;
  void publish(std::uint16_t queue) noexcept;
  [[nodiscard]] std::size_t poll(std::uint16_t queue, std::span<Done> out);
  [[nodiscard]] std::uint32_t in_flight(std::uint16_t queue) const noexcept;
  // Sleeps until poll() has something. False: nothing within `patience`.
  bool wait(std::uint16_t queue, std::chrono::milliseconds patience);

  // One request, waited for: its status, or nothing within the options' patience.
  std::optional<std::uint8_t> execute(const Io& io, std::uint16_t queue = 0);

  // The ring itself, for tests that break it.
  [[nodiscard]] std::span<vhost_user::Descriptor> descriptors(std::uint16_t queue) noexcept;
  void make_available(std::uint16_t queue, std::uint16_t head) noexcept;
  [[nodiscard]] int kick_fd(std::uint16_t queue) const noexcept;
  [[nodiscard]] int call_fd(std::uint16_t queue) const noexcept;

 private:
  struct Queue;

  void negotiate();
  void share_memory();
  void start_queue(std::uint16_t index, std::uint16_t base);
  void format(Queue& queue) noexcept;
  [[nodiscard]] std::uint64_t guest_address(const void* place) const noexcept;
  [[nodiscard]] std::uint64_t user_address(const void* place) const noexcept;

  Options options_;
  std::unique_ptr<VhostUserConnection> connection_;
  Fd memory_fd_;
  Mapping memory_;
  std::uint64_t data_offset_ = 0;
  std::vector<std::unique_ptr<Queue>> queues_;
  std::uint64_t features_ = 0;
  std::uint64_t protocol_features_ = 0;
  virtio_blk_config config_{};
  bool memory_shared_ = false;
  Fd inflight_fd_;
  vhost_user::InflightDescription inflight_;
};

}  // namespace cede::test
