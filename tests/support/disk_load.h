// SPDX-License-Identifier: Apache-2.0
// A guest's driver at a frontend's socket, in a thread, that works its disk and checks each byte.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/eventually.h"
#include "tests/support/pattern.h"
#include "tests/support/vhost_user_client.h"

namespace cede::test {

// Writes, reads and flushes without end, sixteen at a time, and knows what each block has to hold.
class DiskLoad {
 public:
  struct Options {
    std::chrono::seconds patience{60};  // a request not answered for so long is a failed one
  };

  // Throws std::runtime_error where nobody serves the socket.
  DiskLoad(const std::string& socket, const Options& options)
      : options_(options),
        client_({.socket_path = socket, .patience = options.patience}),
        thread_([this] { run(); }) {}
  explicit DiskLoad(const std::string& socket) : DiskLoad(socket, {}) {}
  DiskLoad(const DiskLoad&) = delete;
  DiskLoad& operator=(const DiskLoad&) = delete;
  ~DiskLoad() { stop(); }

  void stop() {
    stopping_ = true;
    if (thread_.joinable()) thread_.join();
  }
  [[nodiscard]] std::uint64_t done() const { return done_; }
  [[nodiscard]] std::uint64_t failed() const { return failed_; }
  [[nodiscard]] std::uint64_t wrong() const { return wrong_; }
  // Waits until it got somewhere since now. False: it is stuck.
  [[nodiscard]] bool moves() const {
    return eventually([this, before = done_.load()] { return done_ > before + 100; });
  }

 private:
  static constexpr std::size_t kBlock = 4096;
  static constexpr std::size_t kSlots = 16;  // each has its own blocks of the disk
  static constexpr std::size_t kBlocksOfSlot = 64;

  struct Slot {
    VhostUserClient::Io io{};
    std::array<std::uint32_t, kBlocksOfSlot> seeds{};  // of what the blocks hold; 0: never written
    std::size_t block = 0;
  };

  [[nodiscard]] std::span<std::byte> buffer(std::size_t slot) const {
    return client_.data().subspan(slot * kBlock, kBlock);
  }
  [[nodiscard]] static std::vector<std::byte> content(std::uint32_t seed) {
    return seed == 0 ? std::vector<std::byte>(kBlock) : pattern(kBlock, seed);
  }

  void begin(std::size_t index) {
    Slot& slot = slots_[index];
    slot.block = random_() % kBlocksOfSlot;
    slot.io = {.sector = (index * kBlocksOfSlot + slot.block) * (kBlock / 512),
               .buffer = index * kBlock,
               .bytes = kBlock,
               .cookie = index};
    const auto kind = random_() % 8;
    if (kind < 4) {
      slot.io.type = VIRTIO_BLK_T_OUT;
      slot.seeds[slot.block] = ++seed_;
      std::ranges::copy(content(seed_), buffer(index).begin());
    } else if (kind == 4) {
      slot.io = {.type = VIRTIO_BLK_T_FLUSH, .cookie = index};
    }
    if (!client_.submit(0, slot.io)) ++failed_;
  }

  void finish(const VhostUserClient::Done& one) {
    const Slot& slot = slots_[one.cookie];
    if (one.status != VIRTIO_BLK_S_OK) ++failed_;
    if (slot.io.type == VIRTIO_BLK_T_IN &&
        !std::ranges::equal(buffer(one.cookie), content(slot.seeds[slot.block]))) {
      ++wrong_;
    }
    ++done_;
  }

  void run() {
    client_.start();
    for (std::size_t slot = 0; slot < kSlots; ++slot) begin(slot);
    client_.publish(0);
    while (client_.in_flight(0) != 0) {
      std::array<VhostUserClient::Done, kSlots> done;
      const std::size_t count = client_.poll(0, done);
      for (const auto& one : std::span(done).first(count)) {
        finish(one);
        if (!stopping_) begin(one.cookie);
      }
      client_.publish(0);
      if (count == 0 && !client_.wait(0, options_.patience)) {
        ++failed_;
        return;
      }
    }
  }

  Options options_;
  VhostUserClient client_;
  std::array<Slot, kSlots> slots_;
  std::minstd_rand random_{7};
  std::uint32_t seed_ = 0;
  std::atomic<std::uint64_t> done_ = 0;
  std::atomic<std::uint64_t> failed_ = 0;
  std::atomic<std::uint64_t> wrong_ = 0;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace cede::test
