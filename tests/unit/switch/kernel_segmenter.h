// SPDX-License-Identifier: Apache-2.0
// What the kernel makes of a segment: it is written to a TAP that is bridged to one without
// offloads. Needs root.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>

#include <stdexcept>
#include <string>

#include "tests/support/driver_program.h"
#include "tests/support/network_namespace.h"
#include "tests/unit/switch/frames.h"
#include "tests/unit/switch/loaded_frame.h"

namespace cede::test {

class KernelSegmenter {
 public:
  KernelSegmenter() {
    space_.must("ip link add bridge type bridge stp_state 0 forward_delay 0");
    for (const char* name : {"in", "out"}) {
      space_.must(std::string("echo 1 > /proc/sys/net/ipv6/conf/") + name + "/disable_ipv6");
      space_.must(std::string("ip link set ") + name + " mtu 9000 master bridge up");
    }
    space_.must("echo 1 > /proc/sys/net/ipv6/conf/bridge/disable_ipv6");
    space_.must("ip link set bridge up");
  }

  // The switch cuts `segment`, whose last `payload` bytes are to be cut, as the kernel does.
  void expect_same(Partial segment, std::size_t payload) {
    segment.header.hdr_len = static_cast<std::uint16_t>(segment.frame.size() - payload);
    Bytes written(sizeof(virtio_net_hdr));
    std::memcpy(written.data(), &segment.header, written.size());
    append(written, segment.frame);
    ASSERT_EQ(::write(in_.get(), written.data(), written.size()),
              static_cast<ssize_t>(written.size()));
    driver::Frame frame;
    ASSERT_TRUE(load(frame, segment.frame, segment.header));
    for (const Delivered& cut : deliver_all(frame, {})) {
      ASSERT_EQ(cut.bytes, next()) << "cuts of " << segment.header.gso_size << " of " << payload;
    }
  }

 private:
  [[nodiscard]] Bytes next() {
    while (true) {
      pollfd waiting{.fd = out_.get(), .events = POLLIN, .revents = 0};
      if (::poll(&waiting, 1, kPatience) != 1) throw std::runtime_error("the kernel cut nothing");
      Bytes bytes(70'000);
      const ssize_t got = ::read(out_.get(), bytes.data(), bytes.size());
      bytes.resize(static_cast<std::size_t>(got));
      Bytes frame = slice(bytes, sizeof(virtio_net_hdr), bytes.size() - sizeof(virtio_net_hdr));
      if (slice(frame, 0, 6) == mac(2)) return frame;
    }
  }

  NetworkNamespace space_;
  Fd in_ = std::move(space_.open_tap("in")[0]);
  Fd out_ = std::move(space_.open_tap("out")[0]);
};

}  // namespace cede::test
