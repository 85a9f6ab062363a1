// SPDX-License-Identifier: Apache-2.0
// What happened between two looks at a system's counters. The counters are an untrusted driver's
// words: any value may be there, may fall, or may be absurd; every result is finite and short.
#pragma once

#include <boost/json/fwd.hpp>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace cede::cli {

struct DeviceRates {
  std::string session;  // CLIENT/DEVICE
  std::string volume;   // DRIVER/VOLUME
  std::string state;
  std::uint64_t pages = 0;
  double reads_per_second = 0;
  double writes_per_second = 0;
  double read_bytes_per_second = 0;
  double write_bytes_per_second = 0;
  std::uint64_t p50_ns = 0;  // 0: nothing was answered
  std::uint64_t p99_ns = 0;
  std::uint64_t errors = 0;  // since the driver's life began
};

struct PortRates {
  std::string session;  // CLIENT/DEVICE
  std::string port;     // DRIVER/MAC
  std::string state;
  std::uint64_t pages = 0;
  double sent_frames_per_second = 0;  // by the client
  double sent_bytes_per_second = 0;
  double received_frames_per_second = 0;
  double received_bytes_per_second = 0;
  // By reason, those that there were since the driver's life began.
  std::map<std::string, std::uint64_t> drops;
};

// `session` is empty, and "sent" is what came in by it.
using UplinkRates = PortRates;

struct Rates {
  std::vector<DeviceRates> volumes;
  std::vector<PortRates> ports;
  std::vector<UplinkRates> uplinks;
};

// `before` and `after` are the supervisor's answers to "stats", `seconds` apart. A driver that was
// started anew in between counts from zero.
[[nodiscard]] Rates rates_between(const boost::json::object& before,
                                  const boost::json::object& after, double seconds);

// At most seven characters: "950", "12.3k", "1.84E".
[[nodiscard]] std::string short_count(double value);
// "850ns", "12.3us", "4.10ms", "1.20s"; "-" for 0.
[[nodiscard]] std::string short_time(std::uint64_t nanoseconds);

}  // namespace cede::cli
