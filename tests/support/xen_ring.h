// SPDX-License-Identifier: Apache-2.0
// Frontend and backend made of the official macros of Xen's ring.h (libxen-dev), as blkfront and
// blkback use them: the reference that protocols/ring.h is compared with.
//
// The macros name the shared fields through `sring`, so they run over any struct that has those
// names, and slots of any record that volatile copies of itself can be assigned to.
// XenShared is Xen's own layout, from DEFINE_RING_TYPES. CedeShared is ours: with it, Xen's half of
// a ring can serve ours, in place.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#define __XEN_INTERFACE_VERSION__ 0x00040e00  // NOLINT: the name is Xen's
#define xen_mb() std::atomic_thread_fence(std::memory_order_seq_cst)
#define xen_rmb() std::atomic_thread_fence(std::memory_order_acquire)
#define xen_wmb() std::atomic_thread_fence(std::memory_order_release)
#include <xen/io/ring.h>

#ifdef __clang__
#pragma clang diagnostic ignored "-Wgnu-statement-expression"  // in Xen's macros
#endif

namespace cede::test {

struct Item {
  std::uint64_t value;

  // RING_COPY_* reads through a volatile lvalue, for which C++ makes no assignment by itself.
  template <class T>
  // NOLINTNEXTLINE(misc-unconventional-assign-operator): the argument is the volatile original
  requires std::is_same_v<T, volatile Item> Item& operator=(T& shared) {
    value = shared.value;
    return *this;
  }
};

DEFINE_RING_TYPES(xen, Item, Item);
using XenShared = xen_sring;

// A u32 in shared memory that Xen's macros can use as if it were one, from two threads.
class SharedWord {
 public:
  operator RING_IDX() const {  // NOLINT: implicit, for the macros
    return std::atomic_ref(value_).load(std::memory_order_acquire);
  }
  SharedWord& operator=(RING_IDX value) {
    std::atomic_ref(value_).store(value, std::memory_order_release);
    return *this;
  }

 private:
  mutable RING_IDX value_;
};

union CedeEntry {
  Item req;
  Item rsp;
};

// protocols/ring.h's layout under Xen's names.
struct CedeShared {
  alignas(64) SharedWord req_prod;
  alignas(64) SharedWord rsp_event;
  alignas(64) SharedWord rsp_prod;
  alignas(64) SharedWord req_event;
  alignas(64) CedeEntry ring[1];  // variable length
};
static_assert(offsetof(CedeShared, rsp_event) == 64 && offsetof(CedeShared, rsp_prod) == 128 &&
              offsetof(CedeShared, req_event) == 192 && offsetof(CedeShared, ring) == 256);

enum class Found : std::uint8_t { Nothing, Item, Overflow };

// As blkfront's interrupt handler: one snapshot of rsp_prod, judged, then consumed to its end.
template <class Shared>
struct XenFront {
  using Entry = decltype(Shared::ring[0].req);

  RING_IDX req_prod_pvt = 0;
  RING_IDX rsp_cons = 0;
  unsigned int nr_ents = 0;
  Shared* sring = nullptr;
  RING_IDX snapshot = 0;

  XenFront(Shared* shared, std::uint32_t slots, RING_IDX start) {
    FRONT_RING_ATTACH(this, shared, start,
                      offsetof(Shared, ring) + slots * sizeof(shared->ring[0]));
    snapshot = start;
  }
  bool full() { return RING_FULL(this); }
  unsigned int free_slots() { return RING_FREE_REQUESTS(this); }
  void put(const Entry& item) {
    *RING_GET_REQUEST(this, req_prod_pvt) = item;
    ++req_prod_pvt;
  }
  bool publish() {
    bool notify = false;
    RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(this, notify);
    return notify;
  }
  bool overflow(RING_IDX producer) { return RING_RESPONSE_PROD_OVERFLOW(this, producer); }
  Found take(Entry& item) {
    if (snapshot == rsp_cons) {
      const RING_IDX producer = sring->rsp_prod;
      xen_rmb();
      if (overflow(producer)) return Found::Overflow;
      snapshot = producer;
    }
    if (snapshot == rsp_cons) return Found::Nothing;
    RING_COPY_RESPONSE(this, rsp_cons, &item);
    ++rsp_cons;
    return Found::Item;
  }
  bool final_check() {
    int work = 0;
    RING_FINAL_CHECK_FOR_RESPONSES(this, work);
    return work != 0;
  }
};

// As blkback's loop.
template <class Shared>
struct XenBack {
  using Entry = decltype(Shared::ring[0].req);

  RING_IDX rsp_prod_pvt = 0;
  RING_IDX req_cons = 0;
  unsigned int nr_ents = 0;
  Shared* sring = nullptr;
  RING_IDX snapshot = 0;

  XenBack(Shared* shared, std::uint32_t slots, RING_IDX start) {
    BACK_RING_ATTACH(this, shared, start, offsetof(Shared, ring) + slots * sizeof(shared->ring[0]));
    snapshot = start;
  }
  bool overflow(RING_IDX producer) { return RING_REQUEST_PROD_OVERFLOW(this, producer); }
  bool no_room_for_response() { return RING_REQUEST_CONS_OVERFLOW(this, req_cons); }
  Found take(Entry& item) {
    if (snapshot == req_cons) {
      const RING_IDX producer = sring->req_prod;
      xen_rmb();
      if (overflow(producer)) return Found::Overflow;
      snapshot = producer;
    }
    if (snapshot == req_cons) return Found::Nothing;
    RING_COPY_REQUEST(this, req_cons, &item);
    ++req_cons;
    return Found::Item;
  }
  void put(const Entry& item) {
    *RING_GET_RESPONSE(this, rsp_prod_pvt) = item;
    ++rsp_prod_pvt;
  }
  bool publish() {
    bool notify = false;
    RING_PUSH_RESPONSES_AND_CHECK_NOTIFY(this, notify);
    return notify;
  }
  bool final_check() {
    int work = 0;
    RING_FINAL_CHECK_FOR_REQUESTS(this, work);
    return work != 0;
  }
};

}  // namespace cede::test
