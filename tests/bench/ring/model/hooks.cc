// SPDX-License-Identifier: Apache-2.0
// What code calls that was compiled with -fsanitize=thread. The compiler puts a call before every
// access to memory, and makes every atomic access one; the thread sanitizer's own library is not
// linked, this is in its place. That is how the peers' own code runs on the model, unchanged.
#include <cstddef>
#include <cstdint>

#include "tests/bench/ring/model/two_cores.h"

using cede::bench::ring::Access;
using cede::bench::ring::TwoCores;

// NOLINTBEGIN(bugprone-reserved-identifier,bugprone-macro-parentheses): the names are the
// compiler's

#define CEDE_PLAIN(bytes)                           \
  void __tsan_read##bytes(void* place) {            \
    TwoCores::touch(place, bytes, Access::Read);    \
  }                                                 \
  void __tsan_write##bytes(void* place) {           \
    TwoCores::touch(place, bytes, Access::Write);   \
  }                                                 \
  void __tsan_unaligned_read##bytes(void* place) {  \
    TwoCores::touch(place, bytes, Access::Read);    \
  }                                                 \
  void __tsan_unaligned_write##bytes(void* place) { \
    TwoCores::touch(place, bytes, Access::Write);   \
  }

// The model has one order of all accesses, so every memory order is kept.
#define CEDE_ATOMIC(bits)                                                                          \
  std::uint##bits##_t __tsan_atomic##bits##_load(const volatile std::uint##bits##_t* place,        \
                                                 int /*order*/) {                                  \
    TwoCores::touch(place, bits / 8, Access::Read);                                                \
    return *place;                                                                                 \
  }                                                                                                \
  void __tsan_atomic##bits##_store(volatile std::uint##bits##_t* place, std::uint##bits##_t value, \
                                   int /*order*/) {                                                \
    TwoCores::touch(place, bits / 8, Access::Write);                                               \
    *place = value;                                                                                \
  }

extern "C" {

void __tsan_init() {}
void __tsan_func_entry(void* /*caller*/) {}
void __tsan_func_exit() {}
void __tsan_atomic_thread_fence(int /*order*/) {}
void __tsan_read_range(void* place, std::size_t bytes) {
  TwoCores::touch(place, bytes, Access::Read);
}
void __tsan_write_range(void* place, std::size_t bytes) {
  TwoCores::touch(place, bytes, Access::Write);
}

CEDE_PLAIN(1)
CEDE_PLAIN(2)
CEDE_PLAIN(4)
CEDE_PLAIN(8)
CEDE_PLAIN(16)
CEDE_ATOMIC(16)
CEDE_ATOMIC(32)
CEDE_ATOMIC(64)

// The compiler does not announce what these copy. They are this library's alone (exports.map). Byte
// by byte, lest the compiler make calls of them again.
void* memmove(void* to, const void* from, std::size_t bytes) {
  TwoCores::touch(from, bytes, Access::Read);
  TwoCores::touch(to, bytes, Access::Write);
  auto* const target = static_cast<volatile char*>(to);
  const auto* const source = static_cast<const volatile char*>(from);
  const bool backwards = to > from;
  for (std::size_t i = 0; i < bytes; ++i) {
    const std::size_t at = backwards ? bytes - 1 - i : i;
    target[at] = source[at];
  }
  return to;
}
void* memcpy(void* to, const void* from, std::size_t bytes) {
  return memmove(to, from, bytes);
}

}  // extern "C"

// NOLINTEND(bugprone-reserved-identifier,bugprone-macro-parentheses)
