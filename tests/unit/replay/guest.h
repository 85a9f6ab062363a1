// SPDX-License-Identifier: Apache-2.0
// A guest that works its disk hard and believes nothing: requests of all kinds that overlap each
// other, and a history that every answer has to fit.
#pragma once

#include <array>
#include <random>
#include <string>
#include <vector>

#include "tests/support/vhost_user_client.h"
#include "tests/unit/replay/fickle_medium.h"
#include "tests/unit/replay/history.h"

namespace cede::test {

class Guest {
 public:
  static constexpr std::chrono::seconds kGuestPatience{20};

  // At a cede-frontend's socket; the disk has `blocks`.
  Guest(std::string socket_path, std::size_t blocks, unsigned seed)
      : blocks_(blocks),
        random_(seed),
        history_(blocks),
        client_({.socket_path = std::move(socket_path),
                 .queue_size = 64,
                 .inflight = true,
                 .patience = kGuestPatience}) {
    client_.start();
  }

  // Keeps as many requests under way as it can, up to `count` in all.
  void begin(std::size_t count) {
    budget_ = count;
    for (std::size_t slot = 0; slot < kSlots; ++slot) begin_one(slot);
    client_.publish(0);
  }
  // Takes what is answered, waiting a moment for it. False: nothing is under way any more.
  bool go_on() {
    std::array<VhostUserClient::Done, kSlots> done;
    const std::size_t count = client_.poll(0, done);
    for (const VhostUserClient::Done& one : std::span(done).first(count)) {
      finish_one(one);
      begin_one(one.cookie);
    }
    client_.publish(0);
    const auto now = std::chrono::steady_clock::now();
    if (count != 0) last_answer_ = now;
    if (now - last_answer_ > kGuestPatience) note(false, "answered in time");
    if (count == 0 && client_.in_flight(0) != 0) client_.wait(0, std::chrono::milliseconds(1));
    return client_.in_flight(0) != 0 && problem_.empty();
  }
  [[nodiscard]] std::size_t answered() const { return answered_; }

  // The frontend has died, and another one listens at the socket.
  void reconnect() { client_.reconnect(); }

  void read_everything() {
    for (std::size_t first = 0; first < blocks_; first += kLongest) {
      const std::size_t count = std::min(kLongest, blocks_ - first);
      const History::Begun begun = history_.begin();
      const auto status = client_.execute({.sector = first, .bytes = bytes(count)});
      note(status == VIRTIO_BLK_S_OK, "answered without an error");
      note(history_.may_read(first, values(0, count), begun), "what may be read at the end");
    }
  }
  void judge_power_loss(const std::vector<FickleMedium::Value>& left) {
    note(history_.may_survive(left), "what may survive a power loss");
  }

  // The first thing that was wrong, or nothing.
  [[nodiscard]] const std::string& problem() const { return problem_; }

 private:
  static constexpr std::size_t kBlock = FickleMedium::kBlock;
  static constexpr std::size_t kLongest = 8;  // blocks of one request
  static constexpr std::size_t kSlots = 24;   // requests under way

  struct Slot {
    VhostUserClient::Io io{};
    std::size_t first = 0;
    std::size_t count = 0;
    History::Begun begun = 0;
  };

  [[nodiscard]] static std::uint32_t bytes(std::size_t blocks) {
    return static_cast<std::uint32_t>(blocks * kBlock);
  }
  [[nodiscard]] std::byte* block(std::size_t slot, std::size_t i) const {
    return client_.data().data() + (slot * kLongest + i) * kBlock;
  }
  [[nodiscard]] std::vector<FickleMedium::Value> values(std::size_t slot, std::size_t count) const {
    std::vector<FickleMedium::Value> found;
    for (std::size_t i = 0; i < count; ++i) found.push_back(FickleMedium::value_of(block(slot, i)));
    return found;
  }

  void begin_one(std::size_t index) {
    if (budget_ == 0) return;
    --budget_;
    Slot& slot = slots_[index];
    slot.count = 1 + random_() % kLongest;
    slot.first = random_() % (blocks_ - slot.count + 1);
    slot.io = {.sector = slot.first,
               .buffer = index * kLongest * kBlock,
               .bytes = bytes(slot.count),
               .cookie = index};
    const auto kind = random_() % 16;
    if (kind < 8) {
      slot.io.type = VIRTIO_BLK_T_OUT;
      slot.begun = history_.begin_write(slot.first, slot.count, ++last_value_);
      for (std::size_t i = 0; i < slot.count; ++i) {
        FickleMedium::fill(block(index, i), last_value_);
      }
    } else if (kind < 10) {
      slot.io.type = kind == 8 ? VIRTIO_BLK_T_DISCARD : VIRTIO_BLK_T_WRITE_ZEROES;
      slot.begun = history_.begin_write(slot.first, slot.count, 0);
    } else if (kind < 12) {
      slot.io = {.type = VIRTIO_BLK_T_FLUSH, .cookie = index};
      slot.begun = history_.begin();
    } else {
      slot.begun = history_.begin();
    }
    note(client_.submit(0, slot.io), "room in the queue");
  }

  void finish_one(const VhostUserClient::Done& one) {
    ++answered_;
    const Slot& slot = slots_[one.cookie];
    note(one.status == VIRTIO_BLK_S_OK, "answered without an error");
    switch (slot.io.type) {
      case VIRTIO_BLK_T_IN:
        return note(history_.may_read(slot.first, values(one.cookie, slot.count), slot.begun),
                    "what may be read");
      case VIRTIO_BLK_T_FLUSH:
        return history_.flush_answered(slot.begun);
      default:
        return history_.write_answered(slot.first, slot.count, slot.begun);
    }
  }

  void note(bool holds, const char* what) {
    if (!holds && problem_.empty()) problem_ = std::string("not ") + what;
  }

  std::size_t blocks_;
  std::mt19937 random_;
  History history_;
  VhostUserClient client_;
  std::array<Slot, kSlots> slots_{};
  std::size_t budget_ = 0;
  std::size_t answered_ = 0;
  FickleMedium::Value last_value_ = 0;
  std::chrono::steady_clock::time_point last_answer_ = std::chrono::steady_clock::now();
  std::string problem_;
};

}  // namespace cede::test
