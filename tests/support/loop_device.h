// SPDX-License-Identifier: Apache-2.0
// A test's image as a block device.
#pragma once

#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>

#include <stdexcept>
#include <string>

#include "tests/support/image.h"

namespace cede::test {

// Blocks of 4096 bytes. Needs root; detached when the last descriptor closes.
class LoopDevice {
 public:
  explicit LoopDevice(const Image& backing) {
    const Fd control = checked(::open("/dev/loop-control", O_RDWR | O_CLOEXEC));
    // Between hearing of a free device and taking it, another test can.
    for (int attempt = 0; attempt < 100; ++attempt) {
      const int number = ::ioctl(control.get(), LOOP_CTL_GET_FREE);
      path_ = "/dev/loop" + std::to_string(number);
      device_ = checked(::open(path_.c_str(), O_RDWR | O_CLOEXEC));
      loop_config config{};
      config.fd = static_cast<__u32>(backing.fd());
      config.block_size = 4096;
      config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
      if (::ioctl(device_.get(), LOOP_CONFIGURE, &config) == 0) return;
      if (errno != EBUSY) break;
    }
    throw std::runtime_error("cannot set up a loop device");
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
  Fd device_;
};

}  // namespace cede::test
