// SPDX-License-Identifier: Apache-2.0
// Whose turn it is: weighted deficit round robin over the clients of one worker.
//
// Pure policy: no clock, no I/O, no idea of what is scheduled. A client with work joins the round;
// when its turn comes it is credited with one quantum and served until the credit is used up, then
// it goes to the end. A cost is charged after the fact, so the last item of a turn may leave the
// client in debt, which its next turns pay: shares are exact in the long run, and nobody has to
// know the cost of a request before taking it.
//
// The quantum of the heaviest client is kQuantum and everybody else's is smaller by weight: however
// weights are chosen, no turn is longer than kQuantum plus one item.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace cede::driver {

class Scheduler {
 public:
  using Client = std::uint32_t;  // below kMaxClients, the caller's choice
  using Cost = std::int64_t;

  static constexpr std::size_t kMaxClients = 256;
  static constexpr Cost kQuantum = 64 << 10;
  static constexpr std::uint32_t kMaxWeight = 100;

  // Precondition: `client` is not known; weight 1 to kMaxWeight.
  void add(Client client, std::uint32_t weight) noexcept {
    shares_[client] = Share{.weight = weight};
    reweigh();
  }
  // Precondition: `client` is known. Its place in the round and its credit stay.
  void set_weight(Client client, std::uint32_t weight) noexcept {
    shares_[client].weight = weight;
    reweigh();
  }
  void remove(Client client) noexcept {
    auto* const end = std::remove(round_.begin(), round_.begin() + waiting_, client);
    waiting_ = static_cast<std::uint32_t>(end - round_.begin());
    shares_[client] = Share{};
    reweigh();
  }

  // The client has something to do. Nothing changes if it is in the round already.
  void wake(Client client) noexcept {
    Share& share = shares_[client];
    if (share.waiting) return;
    share.waiting = true;
    round_[waiting_++] = client;
  }

  // Whose turn it is, if anybody waits. The same client until its credit is used up or it leaves.
  [[nodiscard]] std::optional<Client> current() noexcept {
    if (waiting_ == 0) return std::nullopt;
    while (true) {
      Share& share = shares_[round_[0]];
      if (!share.credited) {
        share.credit += share.quantum;
        share.credited = true;
      }
      if (share.credit > 0) return round_[0];
      share.credited = false;
      std::rotate(round_.begin(), round_.begin() + 1, round_.begin() + waiting_);
    }
  }

  // What the current client's last item cost; more than 0.
  void charge(Cost cost) noexcept { shares_[round_[0]].credit -= cost; }

  // The current client has nothing to do, or may do nothing now: credit does not keep, debt does.
  void leave() noexcept {
    Share& share = shares_[round_[0]];
    share.credit = std::min<Cost>(share.credit, 0);
    share.credited = false;
    share.waiting = false;
    std::copy(round_.begin() + 1, round_.begin() + waiting_, round_.begin());
    --waiting_;
  }

 private:
  struct Share {
    std::uint32_t weight = 0;  // 0: no such client
    Cost quantum = 0;
    Cost credit = 0;
    bool credited = false;  // its turn has begun
    bool waiting = false;   // in the round
  };

  void reweigh() noexcept {
    std::uint32_t heaviest = 1;
    for (const Share& share : shares_) heaviest = std::max(heaviest, share.weight);
    for (Share& share : shares_) share.quantum = kQuantum * share.weight / heaviest;
  }

  std::array<Share, kMaxClients> shares_{};
  std::array<Client, kMaxClients> round_{};  // the first `waiting_` are in the round, in order
  std::uint32_t waiting_ = 0;
};

static_assert(Scheduler::kQuantum / Scheduler::kMaxWeight > 0);

}  // namespace cede::driver
