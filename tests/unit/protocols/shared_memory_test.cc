// SPDX-License-Identifier: Apache-2.0
// The accessor for memory that a peer writes: whole records, once, and nothing else.
#include "protocols/shared_memory.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <thread>

#include "protocols/block.h"

namespace cede {
namespace {

using block::Request;

struct Bits {
  bool flag;
  std::uint8_t bytes[7];
};
struct Padded {
  std::uint32_t id;
  std::uint64_t sector;
};
struct Odd {
  std::uint32_t words[3];
};
struct Derived : Request {
  std::uint64_t more;
};
struct Owning {
  std::uint64_t* pointer;
  ~Owning() {}
};

static_assert(SharedRecord<Request> && SharedRecord<block::Response> && SharedRecord<block::Info>);
static_assert(SharedRecord<std::array<std::uint64_t, 4>>);
static_assert(!SharedRecord<Padded>, "padding would carry private bytes across");
static_assert(!SharedRecord<Odd>, "not whole words");
static_assert(!SharedRecord<double>, "several representations of one value");
static_assert(!SharedRecord<Derived>, "no standard layout");
static_assert(!SharedRecord<Owning>, "not trivially copyable");
static_assert(!std::is_copy_constructible_v<SharedSlot<Request>> &&
              !std::is_copy_assignable_v<SharedSlot<Request>>);
static_assert(!std::is_convertible_v<SharedSlot<Request>, Request> &&
              !std::is_convertible_v<SharedIndex, std::uint32_t>);

TEST(SharedSlot, CopiesEveryByteInAndOut) {
  alignas(8) std::array<std::byte, 3 * sizeof(Request)> memory{};
  const Request request{.type = VIRTIO_BLK_T_OUT,
                        .flags = Request::kUnmap,
                        .id = 0xDEADBEEF,
                        .sector = UINT64_MAX,
                        .offset = 0x0123456789ABCDEF,
                        .length = 4096,
                        .reserved = 7};
  std::byte* place = memory.data() + sizeof(Request);
  SharedSlot<Request>(place).copy_out(request);
  const Request copy = SharedSlot<Request>(place).copy_in();
  EXPECT_EQ(std::memcmp(&copy, &request, sizeof copy), 0);
  EXPECT_EQ(std::memcmp(place, &request, sizeof request), 0);
  for (std::size_t i = 0; i < sizeof(Request); ++i) {
    ASSERT_EQ(memory[i], std::byte{0}) << "before the record";
    ASSERT_EQ(memory[2 * sizeof(Request) + i], std::byte{0}) << "after the record";
  }
}

TEST(SharedSlot, ACopyStaysAsItWasWhateverThePeerWritesNow) {
  alignas(8) std::array<std::byte, sizeof(Request)> memory{};
  SharedSlot<Request>(memory.data()).copy_out({.type = VIRTIO_BLK_T_IN, .length = 512});
  const Request copy = SharedSlot<Request>(memory.data()).copy_in();
  SharedSlot<Request>(memory.data()).copy_out({.type = 99, .length = UINT32_MAX});
  EXPECT_EQ(copy.length, 512U);
}

// Under the thread sanitizer this also shows that a peer's stores race with nothing.
TEST(SharedSlot, WordsAreNeverTornUnderAPeerThatFlips) {
  alignas(8) std::array<std::byte, sizeof(Request)> memory{};
  std::atomic<bool> stop = false;
  std::thread flipper([&] {
    for (std::uint64_t fill = 0; !stop; fill = ~fill) {
      SharedSlot<Request>(memory.data()).copy_out({.sector = fill, .offset = fill});
    }
  });
  int changes = 0;
  std::uint64_t last = 0;
  for (int i = 0; i < 200'000 && changes < 1000; ++i) {
    const Request copy = SharedSlot<Request>(memory.data()).copy_in();
    ASSERT_TRUE(copy.sector == 0 || copy.sector == UINT64_MAX);
    ASSERT_TRUE(copy.offset == 0 || copy.offset == UINT64_MAX);
    changes += copy.sector != last ? 1 : 0;
    last = copy.sector;
    if (i % 1024 == 0) std::this_thread::yield();
  }
  stop = true;
  flipper.join();
}

TEST(SharedIndex, IsOneWordAndTouchesNoOther) {
  alignas(8) std::array<std::uint32_t, 3> words{1, 2, 3};
  const SharedIndex index(reinterpret_cast<std::byte*>(&words[1]));
  EXPECT_EQ(index.load(std::memory_order_acquire), 2U);
  index.store(UINT32_MAX, std::memory_order_release);
  EXPECT_EQ(words, (std::array<std::uint32_t, 3>{1, UINT32_MAX, 3}));
}

}  // namespace
}  // namespace cede
