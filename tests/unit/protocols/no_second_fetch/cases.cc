// SPDX-License-Identifier: Apache-2.0
// Ways to fetch a record from shared memory twice, or to keep a way to it. CMakeLists.txt gives the
// compiler one CASE at a time; everything but case 0 has to be refused. What remains possible is to
// say std::move(slot).copy_in() twice, and bugprone-use-after-move of clang-tidy refuses that.
#include "protocols/block.h"
#include "protocols/ring.h"
#include "protocols/shared_memory.h"

#ifndef CASE
#define CASE 0
#endif

using cede::SharedIndex;
using cede::SharedSlot;
using cede::block::Request;

struct Padded {
  std::uint32_t id;
  std::uint64_t sector;
};

// How many bytes the peer asks for, if that is not too much.
std::uint32_t checked_length(std::byte* place) {
#if CASE == 0
  const Request request = SharedSlot<Request>(place).copy_in();
  return request.length <= 4096 ? request.length : 0;
#elif CASE == 1
  return (*SharedSlot<Request>(place)).length;
#elif CASE == 2
  return SharedSlot<Request>(place)->length;
#elif CASE == 3
  SharedSlot<Request> slot(place);
  return slot.copy_in().length <= 4096 ? slot.copy_in().length : 0;
#elif CASE == 4
  SharedSlot<Request> slot(place);
  slot.copy_out(Request{});
  return 0;
#elif CASE == 5
  SharedSlot<Request> slot(place);
  SharedSlot<Request> another(slot);
  return 0;
#elif CASE == 6
  return static_cast<const Request*>(SharedSlot<Request>(place))->length;
#elif CASE == 7
  return static_cast<std::uint32_t>(SharedSlot<Request>(place).words_[0]);
#elif CASE == 8
  const Request& request = SharedSlot<Request>(place);
  return request.length;
#elif CASE == 9
  return SharedSlot<Padded>(place).copy_in().id;
#elif CASE == 10
  SharedSlot<Request>(place).copy_in();
  return 0;
#elif CASE == 11
  const std::uint32_t index = SharedIndex(place);
  return index;
#elif CASE == 12
  cede::BackRing<Request, cede::block::Response> ring(place, {8, 32});
  return static_cast<std::uint32_t>(*ring.slots_.at(0));
#elif CASE == 13
  SharedSlot<Request> slot(place);
  Request request;
  slot.copy_into(request);
  return request.length;
#endif
}
