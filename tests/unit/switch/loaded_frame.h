// SPDX-License-Identifier: Apache-2.0
// The switch's Frame, loaded from bytes, and its deliveries as bytes.
#pragma once

#include <cstring>
#include <vector>

#include "driver_vm/net/delivery.h"
#include "driver_vm/net/frame.h"
#include "tests/unit/switch/frames.h"

namespace cede::test {

[[nodiscard]] inline bool load(driver::Frame& frame, const Bytes& bytes,
                               const net::Header& header = {}) {
  return frame.load(header, reinterpret_cast<const std::byte*>(bytes.data()),
                    static_cast<std::uint32_t>(bytes.size()));
}

struct Delivered {
  net::Header header;
  Bytes bytes;
};
[[nodiscard]] inline Bytes joined(const driver::Pieces& pieces) {
  Bytes bytes;
  for (const auto& piece : pieces) {
    const auto* first = reinterpret_cast<const std::uint8_t*>(piece.data());
    bytes.insert(bytes.end(), first, first + piece.size());
  }
  return bytes;
}
[[nodiscard]] inline std::vector<Delivered> deliver_all(driver::Frame& frame,
                                                        driver::ReceiverForm form) {
  std::vector<Delivered> all;
  driver::deliver(frame, form, [&](const net::Header& header, const driver::Pieces& pieces) {
    all.push_back({header, joined(pieces)});
    return true;
  });
  return all;
}

}  // namespace cede::test
