// SPDX-License-Identifier: Apache-2.0
// Counters that a driver shows to its supervisor, in a memfd that the supervisor made.
//
// One DeviceStats for each device number below kMaxDevices. Written by the driver's one thread,
// read by the supervisor at any time, field by field and relaxed: a sum of a moment, good for a
// live view. The supervisor treats what it reads as display text of an untrusted domain, nothing
// more.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace cede {

// Latencies in buckets, four to each power of two: a bucket's floor is exact below 4 ns and less
// than 20 percent below any latency of the bucket from there on.
inline constexpr std::size_t kLatencyBuckets = 128;

// Bucket of a latency in nanoseconds.
[[nodiscard]] constexpr std::size_t latency_bucket(std::uint64_t nanoseconds) noexcept {
  if (nanoseconds < 4) return static_cast<std::size_t>(nanoseconds);
  const auto power = static_cast<std::size_t>(std::bit_width(nanoseconds)) - 1;
  const std::size_t bucket = power * 4 + ((nanoseconds >> (power - 2)) & 3) - 4;
  return bucket < kLatencyBuckets ? bucket : kLatencyBuckets - 1;
}
// The lower edge of a bucket, in nanoseconds.
[[nodiscard]] constexpr std::uint64_t latency_floor(std::size_t bucket) noexcept {
  if (bucket < 4) return bucket;
  const std::size_t power = (bucket + 4) / 4;
  return (4ULL + (bucket & 3)) << (power - 2);
}
static_assert(latency_floor(latency_bucket(4096)) == 4096);
static_assert(latency_bucket(latency_floor(77)) == 77);

using Counter = std::atomic<std::uint64_t>;
static_assert(Counter::is_always_lock_free);

// A volume's.
struct BlockStats {
  Counter reads, read_bytes;
  Counter writes, write_bytes;
  Counter flushes, erases;                       // erases: discards and write-zeroes
  Counter errors;                                // answered with something other than ok
  std::array<Counter, kLatencyBuckets> latency;  // begun to response put
};

// Why the switch dropped a frame. Of frames from a port: everything up to Isolated, and what the
// uplink did not take; of frames to it: the rest. Of the uplink: what came in by it and went
// nowhere.
enum class Drop : std::uint8_t {
  Malformed,  // too short, too long, or a header that contradicts the frame
  Spoofed,    // a source address that is not the port's
  Guarded,    // an IPv4 or ARP sender that is not the port's, or a protocol between bridges
  Vlan,       // a tag that the port does not carry
  Limited,    // over the port's rate
  Storm,      // over the port's rate for frames to everybody
  Isolated,   // for another client, on a port that reaches the uplink only
  NoBuffer,   // too few receive buffers
  TooLong,    // longer than the receiver's MTU, and no segment that could be cut
  LinkDown,   // the uplink is away
};
inline constexpr std::size_t kDropReasons = 10;

// A port's; "sent" is what came from the client.
struct NetStats {
  Counter sent_frames, sent_bytes;
  Counter received_frames, received_bytes;
  std::array<Counter, kDropReasons> drops;
  Counter up;  // the uplink's: 1 while it is
};

struct DeviceStats {
  Counter sessions;            // ever connected
  Counter rejected;            // sessions closed for breaking the protocol
  Counter doorbells, wakeups;  // rung by the driver; kicks seen by it
  BlockStats block;            // the driver uses one of the two
  NetStats net;
};

inline constexpr std::size_t kMaxDevices = 256;
// A switch's last row is its uplink's: there, "sent" is what came in, and "received" what went out.
inline constexpr std::size_t kMaxPorts = kMaxDevices - 1;
inline constexpr std::size_t kUplinkRow = kMaxPorts;
using StatsPage = std::array<DeviceStats, kMaxDevices>;

}  // namespace cede
