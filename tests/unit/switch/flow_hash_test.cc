// SPDX-License-Identifier: Apache-2.0
#include "driver_vm/net/flow_hash.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/unit/switch/loaded_frame.h"

namespace cede::test {
namespace {

std::uint32_t hash_of(const Bytes& bytes) {
  driver::Frame frame;
  EXPECT_TRUE(load(frame, bytes));
  return driver::flow_hash(frame);
}

TEST(FlowHash, TheSameForAllFramesOfAFlow) {
  for (const bool v6 : {false, true}) {
    const auto one = hash_of(udp({.v6 = v6, .id = 1}, noise(10)).frame);
    EXPECT_EQ(one, hash_of(udp({.v6 = v6, .id = 2}, noise(900, 7)).frame));
    EXPECT_EQ(one, hash_of(tagged(udp({.v6 = v6}, noise(10)).frame, 12)));
  }
}

TEST(FlowHash, FlowsSpread) {
  for (const bool v6 : {false, true}) {
    std::set<std::uint32_t> queues;
    for (std::uint16_t port = 1000; port < 1064; ++port) {
      queues.insert(hash_of(udp({.v6 = v6}, noise(10), port).frame) % 4);
    }
    EXPECT_EQ(queues.size(), 4U);
  }
}

TEST(FlowHash, FragmentsGoTogether) {
  Bytes first = udp({}, noise(100), 4711).frame;
  Bytes later = udp({}, noise(100, 3), 815).frame;  // where ports would be, there is payload
  first[20] = 0x20;
  later[21] = 0x10;
  EXPECT_EQ(hash_of(first), hash_of(later));
}

TEST(FlowHash, WhatIsNotIpGoesByItsAddresses) {
  EXPECT_EQ(hash_of(small_frame(2, 1, 1)), hash_of(small_frame(2, 1, 2)));
  EXPECT_NE(hash_of(small_frame(2, 1)), hash_of(small_frame(2, 3)));
  EXPECT_EQ(hash_of(ethernet(2, 1, 0x0800, {0x45})), hash_of(ethernet(2, 1, 0x0800, {0x46})));
}

}  // namespace
}  // namespace cede::test
