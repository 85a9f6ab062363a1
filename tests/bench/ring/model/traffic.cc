// SPDX-License-Identifier: Apache-2.0
// Compiled for the model: every access to memory in here, and in all that is inlined, is counted.
#include "tests/bench/ring/model/traffic.h"

#include <memory>
#include <new>
#include <span>

#include "protocols/shared_memory.h"
#include "tests/bench/ring/contenders.h"
#include "tests/bench/ring/conversation.h"
#include "tests/bench/ring/model/two_cores.h"

namespace cede::bench::ring {
namespace {

class Spinning {
 public:
  void publish(auto& end) { (void)end.publish(); }
  void rest(auto& /*end*/) {}
};

class FixedLength {
 public:
  explicit FixedLength(std::uint64_t requests) : requests_(requests) {}
  [[nodiscard]] bool more(std::uint64_t sent) const { return sent < requests_; }
  void answered(std::uint64_t /*number*/) {}

 private:
  std::uint64_t requests_;
};

struct alignas(kCacheLine) Memory {
  std::byte bytes[kMaxBytes];
};

struct Totals {
  std::uint64_t transfers;
  std::uint64_t invalidations;
};

template <Contender C>
Totals converse(Load load, std::uint64_t requests) {
  using Item = typename C::Item;
  const auto memory = std::make_unique<Memory>();
  C::format(memory->bytes);
  const auto front = std::make_unique<typename C::Front>(memory->bytes);
  const auto back = std::make_unique<typename C::Back>(memory->bytes);
  TwoCores machine(memory->bytes);
  machine.run(
      [&] {
        Spinning waiting;
        FixedLength pace(requests);
        (void)request_all<Item>(*front, load, waiting, pace);
      },
      [&] {
        Spinning waiting;
        answer_all<Item>(*back, load, waiting);
      });
  return {machine.caches().transfers(), machine.caches().invalidations()};
}

}  // namespace

std::optional<TrafficPerTrip> count_traffic(ContenderId contender, std::uint32_t slot_bytes,
                                            Load load) {
  // Twice round the ring to find its pace; the rest is the difference of two runs.
  constexpr std::uint64_t kWarmUp = 2 * kSlots;
  constexpr std::uint64_t kCounted = 4 * kSlots;
  return visit_contender(contender, slot_bytes, [&]<class C>() {
    const Totals before = converse<C>(load, kWarmUp);
    const Totals after = converse<C>(load, kWarmUp + kCounted);
    return std::optional<TrafficPerTrip>(
        {static_cast<double>(after.transfers - before.transfers) / kCounted,
         static_cast<double>(after.invalidations - before.invalidations) / kCounted});
  });
}

}  // namespace cede::bench::ring
