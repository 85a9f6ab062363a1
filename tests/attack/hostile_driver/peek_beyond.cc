// SPDX-License-Identifier: Apache-2.0
#include <vector>

#include "tests/attack/attack.h"
#include "tests/attack/driver.h"

namespace cede::attack {
namespace {

// What a session begins with is zero, so whatever is not, and no request has named, has come from
// somewhere else in its client.
class Named {
 public:
  explicit Named(std::uint64_t bytes) : sectors_(bytes / block::kSectorBytes) {}

  void add(const block::Request& request) {
    for (std::uint64_t at = 0; at < request.length; at += block::kSectorBytes) {
      sectors_[(request.offset + at) / block::kSectorBytes] = true;
    }
  }
  [[nodiscard]] bool has(std::uint64_t offset) const {
    return sectors_[offset / block::kSectorBytes];
  }

 private:
  std::vector<bool> sectors_;
};

std::uint64_t strange_bytes(const Driver& driver, const Named& named) {
  const Geometry& geometry = driver.geometry();
  const std::byte* const region = driver.memory().data();
  std::uint64_t strange = 0;
  for (std::uint64_t i = geometry.ring_shape().bytes(); i < geometry.bytes(); ++i) {
    const bool asked_for = i >= geometry.data_offset() && named.has(i);
    if (!asked_for && region[i] != std::byte{0}) ++strange;
  }
  return strange;
}

// A session of its own, of which it has seen every request. It answers no more before it looks: a
// client that has no free slot writes no payload that is not published yet.
void run(Driver& driver) {
  if (!driver.begin_anew()) return driver.stage().broke("its client does not come back");
  Named named(driver.geometry().bytes());
  for (int i = 0; i < 200; ++i) {
    const auto request = driver.next();
    if (!request) break;
    named.add(*request);
    driver.answer(request->id, driver.execute(*request));
  }
  while (const auto request = driver.next(50)) named.add(*request);
  if (strange_bytes(driver, named) != 0) {
    driver.stage().broke("it sees bytes of its client that no request brought");
  }
}

const Entry entry{
    {.name = "peek-beyond",
     .family = "hostile-driver",
     .source = "XSA-403: backends see what shares a page with a frontend's data",
     .does = "looks all through the region for what none of its requests brought there",
     .holds = "donated pages hold nothing of the client but what it asked for",
     .fate = Fate::Stays,
     .run = &run}};

}  // namespace
}  // namespace cede::attack
