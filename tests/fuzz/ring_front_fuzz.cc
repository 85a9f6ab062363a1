// SPDX-License-Identifier: Apache-2.0
// The frontend's half of a ring against a backend that writes anything at any time.
#include "tests/fuzz/ring_memory.h"

using namespace cede;        // NOLINT: a fuzz target is one function
using namespace cede::fuzz;  // NOLINT

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  const RingShape shape = shape_from(input);
  const std::uint32_t start = start_from(input);
  RingMemory memory(shape, start, RingShape::kBackLine, RingShape::kFrontLine);
  FrontRing<Item, Item> front(memory.base(), shape, start);
  std::uint64_t put = 0;
  std::uint64_t published = 0;
  std::uint64_t answered = 0;

  while (!input.empty()) {
    Item item{};
    switch (input.below(8)) {
      case 0:
      case 1:
      case 2:
        memory.peer_acts(input);
        break;
      case 3:
        if (front.take(item) == Verdict::Ready) ++answered;
        break;
      case 4:
        if (front.free_slots() == 0) break;
        front.put({put++, 0});
        break;
      case 5:
        (void)front.publish();
        published = put;
        break;
      case 6:
        if (front.arm() != Verdict::Ready) break;
        require(front.take(item) == Verdict::Ready, "arm() said so");
        ++answered;
        break;
      default: {
        const Verdict verdict = front.peek();
        require(front.peek() == verdict, "looking changes nothing");
      }
    }
    require(answered <= published, "nobody answers what was not asked");
    require(front.in_flight() == put - answered, "in flight: put and not answered");
    require(front.in_flight() <= shape.slots, "and never more than there are slots");
    memory.check();
  }
  return 0;
}
