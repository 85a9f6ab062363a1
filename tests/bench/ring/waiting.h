// SPDX-License-Identifier: Apache-2.0
// What a side does while there is nothing to do: spin, or sleep on an eventfd.
#pragma once

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <system_error>

#include "protocols/posix/fd.h"
#include "protocols/shared_memory.h"
#include "tests/bench/ring/contender.h"

namespace cede::bench::ring {

// After so long without a word from its peer a side gives up and throws: no expectation of speed.
inline constexpr std::chrono::seconds kPatience{20};

[[noreturn]] inline void lost() {
  throw std::runtime_error("the other side of the ring says nothing any more");
}

class Spinning {
 public:
  void publish(auto& end) { (void)end.publish(); }
  void rest(auto& /*end*/) {
    constexpr std::uint32_t kLook = 1 << 20;
    if (++rests_ % kLook == 0 && std::chrono::steady_clock::now() > give_up_) lost();
  }

 private:
  std::uint32_t rests_ = 0;
  std::chrono::steady_clock::time_point give_up_ = std::chrono::steady_clock::now() + kPatience;
};

// A plain eventfd: both sides are ours here. What a driver does with bells of those it distrusts is
// in protocols/posix/doorbell.h.
class Bell {
 public:
  Bell() : fd_(::eventfd(0, EFD_CLOEXEC)) {
    if (fd_.get() < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  }
  void ring() const {
    const std::uint64_t one = 1;
    if (::write(fd_.get(), &one, sizeof one) != sizeof one) lost();
  }
  void wait() const {
    pollfd ready{fd_.get(), POLLIN, 0};
    std::uint64_t count = 0;
    const int found = ::poll(&ready, 1, std::chrono::milliseconds(kPatience).count());
    if (found < 0 && errno == EINTR) return;
    if (found <= 0 || ::read(fd_.get(), &count, sizeof count) != sizeof count) lost();
  }

 private:
  Fd fd_;
};

class Sleeping {
 public:
  Sleeping(const Bell& own, const Bell& peer) : own_(own), peer_(peer) {}
  void publish(WakingEnd auto& end) {
    if (end.publish()) peer_.ring();
  }
  void rest(WakingEnd auto& end) {
    if (end.arm()) own_.wait();
  }

 private:
  const Bell& own_;
  const Bell& peer_;
};

// Teaches an end that knows nothing of doorbells to ask for one, with a word in memory for each
// side: "wake me".
template <class Item, End<Item> Plain>
class Wakeable {
 public:
  Wakeable(std::byte* memory, std::byte* own, std::byte* peer)
      : plain_(memory), own_(own), peer_(peer) {}

  void put(const Item& item) { plain_.put(item); }
  [[nodiscard]] bool publish() {
    plain_.publish();
    full_fence();
    if (peer_.load(std::memory_order_relaxed) == 0) return false;
    peer_.store(0, std::memory_order_relaxed);
    return true;
  }
  [[nodiscard]] bool take(Item& item) {
    if (!ahead_) return plain_.take(item);
    item = next_;
    ahead_ = false;
    return true;
  }
  [[nodiscard]] bool arm() {
    own_.store(1, std::memory_order_relaxed);
    full_fence();
    ahead_ = plain_.take(next_);
    if (ahead_) own_.store(0, std::memory_order_relaxed);
    return !ahead_;
  }

 private:
  Plain plain_;
  SharedIndex own_;
  SharedIndex peer_;
  bool ahead_ = false;  // next_ was there when we looked
  Item next_{};
};

}  // namespace cede::bench::ring
