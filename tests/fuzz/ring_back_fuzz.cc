// SPDX-License-Identifier: Apache-2.0
// The backend's half of a ring against a frontend that writes anything at any time.
#include "tests/fuzz/ring_memory.h"

using namespace cede;        // NOLINT: a fuzz target is one function
using namespace cede::fuzz;  // NOLINT

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  const RingShape shape = shape_from(input);
  const std::uint32_t start = start_from(input);
  RingMemory memory(shape, start, RingShape::kFrontLine, RingShape::kBackLine);
  BackRing<Item, Item> back(memory.base(), shape, start);

  while (!input.empty()) {
    const std::uint32_t in_flight = back.in_flight();
    Item item{};
    switch (input.below(8)) {
      case 0:
      case 1:
      case 2:
        memory.peer_acts(input);
        break;
      case 3: {
        const Verdict verdict = back.take(item);
        require(back.in_flight() == in_flight + (verdict == Verdict::Ready ? 1 : 0),
                "a request is in flight once it was taken, and only then");
        break;
      }
      case 4:
        if (in_flight != 0) back.put({in_flight, 0});
        break;
      case 5:
        (void)back.publish();
        break;
      case 6:
        if (back.arm() == Verdict::Ready)
          require(back.take(item) == Verdict::Ready, "arm() said so");
        break;
      default: {
        const Verdict verdict = back.peek();
        require(back.peek() == verdict, "looking changes nothing");
      }
    }
    require(back.in_flight() <= shape.slots, "every request taken has a slot for its response");
    memory.check();
  }
  return 0;
}
