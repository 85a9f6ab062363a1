// SPDX-License-Identifier: Apache-2.0
#include "driver_vm/net/receive_queue.h"

#include <gtest/gtest.h>

#include <memory>
#include <new>

#include "tests/unit/switch/frames.h"

namespace cede::test {
namespace {

using driver::Pieces;
using driver::ReceiveQueue;
using Put = ReceiveQueue::Put;

class Receiving : public testing::Test {
 protected:
  static constexpr Geometry kGeometry{
      .pages = 64, .rings = 3, .slot_bytes = net::kSlotBytes, .slots = 128};
  static constexpr std::uint16_t kRing = net::receive_ring(0);

  Receiving() {
    format_ring(region_.get() + kGeometry.ring_offset(kRing));
    front_.emplace(region_.get() + kGeometry.ring_offset(kRing), kGeometry.ring_shape());
    queue_.emplace(region_.get(), kGeometry, kRing, guard_);
  }
  void post(std::uint32_t length, std::uint32_t count = 1) {
    for (std::uint32_t i = 0; i < count; ++i) {
      front_->put({.offset = next_, .length = length});
      next_ += length;
    }
    (void)front_->publish();
  }
  Put put(const Bytes& bytes, std::size_t split = 0) {
    const auto all = std::as_bytes(std::span(bytes));
    const Pieces pieces{all.first(split), all.subspan(split), {}};
    net::Header header{};
    header.hdr_len = 7;
    const Put result = queue_->put(header, pieces);
    (void)queue_->publish();
    return result;
  }
  // Takes the answers to one frame's buffers, which lie one behind the other.
  Bytes take(std::size_t parts) {
    Bytes bytes;
    net::Received part;
    for (std::size_t i = 0; i < parts; ++i) {
      EXPECT_EQ(front_->take(part), Verdict::Ready);
      EXPECT_EQ(part.header.num_buffers, i == 0 ? parts : 0);
      EXPECT_EQ(part.header.hdr_len, i == 0 ? 7 : 0);
      const auto* from = reinterpret_cast<const std::uint8_t*>(region_.get() + taken_);
      bytes.insert(bytes.end(), from, from + part.length);
      taken_ += buffer_;
    }
    return bytes;
  }

  struct Free {
    void operator()(std::byte* memory) const { ::operator delete[](memory, std::align_val_t{64}); }
  };
  std::unique_ptr<std::byte[], Free> region_{new (std::align_val_t{64})
                                                 std::byte[kGeometry.bytes()]{}};
  BellGuard guard_;
  std::optional<FrontRing<net::Buffer, net::Received>> front_;
  std::optional<ReceiveQueue> queue_;
  std::uint32_t next_ = static_cast<std::uint32_t>(kGeometry.data_offset());
  std::uint32_t taken_ = next_;
  std::uint32_t buffer_ = 1024;
};

TEST_F(Receiving, OneBuffer) {
  post(1024);
  EXPECT_EQ(put(noise(1024), 100), Put::Ok);
  EXPECT_EQ(take(1), noise(1024));
}

TEST_F(Receiving, AFrameOverSeveralBuffersSplitAnywhere) {
  for (const std::size_t split : {0U, 1U, 1023U, 1024U, 1025U, 2500U}) {
    post(1024, 3);
    EXPECT_EQ(put(noise(2500), split), Put::Ok);
    EXPECT_EQ(take(3), noise(2500)) << split;
  }
}

TEST_F(Receiving, FullBuffersLeaveNoEmptyOne) {
  post(1024, 3);
  EXPECT_EQ(put(noise(2048)), Put::Ok);
  EXPECT_EQ(take(2), noise(2048));
  EXPECT_EQ(put(noise(60)), Put::Ok);
  EXPECT_EQ(take(1), noise(60));
}

TEST_F(Receiving, TheLongestFrameInTheSmallestBuffers) {
  post(1024, net::kMaxParts);
  EXPECT_EQ(put(noise(net::kMaxFrame)), Put::Ok);
  EXPECT_EQ(take(net::kMaxParts), noise(net::kMaxFrame));
}

// XSA-392: a backend that kept frames for which the frontend was just short of slots.
TEST_F(Receiving, OneBufferTooFewUsesNoneUp) {
  post(1024, net::kMaxParts - 1);
  EXPECT_EQ(put(noise(net::kMaxFrame)), Put::NoBuffer);
  EXPECT_EQ(put(noise(net::kMaxFrame)), Put::NoBuffer);
  net::Received nothing;
  EXPECT_EQ(front_->take(nothing), Verdict::Empty);
  EXPECT_EQ(put(noise(60)), Put::Ok);
  EXPECT_EQ(take(1), noise(60));
  post(1024, 2);
  EXPECT_EQ(put(noise(net::kMaxFrame, 9)), Put::Ok);
  EXPECT_EQ(take(net::kMaxParts), noise(net::kMaxFrame, 9));
}

TEST_F(Receiving, NoBufferAtAll) {
  EXPECT_EQ(put(noise(60)), Put::NoBuffer);
}

TEST_F(Receiving, BuffersThatCannotBe) {
  const auto end = static_cast<std::uint32_t>(kGeometry.bytes());
  const auto data = static_cast<std::uint32_t>(kGeometry.data_offset());
  const net::Buffer bad[] = {{data, 1023},       {data, 0},          {0, 2048},
                             {data - 1, 2048},   {end - 1024, 1025}, {end, 1024},
                             {UINT32_MAX, 1024}, {data, UINT32_MAX}, {UINT32_MAX - 99, 200}};
  for (const net::Buffer& buffer : bad) {
    format_ring(region_.get() + kGeometry.ring_offset(kRing));
    front_.emplace(region_.get() + kGeometry.ring_offset(kRing), kGeometry.ring_shape());
    queue_.emplace(region_.get(), kGeometry, kRing, guard_);
    front_->put(buffer);
    (void)front_->publish();
    EXPECT_EQ(put(noise(60)), Put::Broken) << buffer.offset << ' ' << buffer.length;
  }
}

TEST_F(Receiving, AProducerRunaway) {
  SharedIndex(region_.get() + kGeometry.ring_offset(kRing) + RingShape::kFrontLine)
      .store(129, std::memory_order_release);
  EXPECT_EQ(put(noise(60)), Put::Broken);
}

}  // namespace
}  // namespace cede::test
