// SPDX-License-Identifier: Apache-2.0
// The guest's end of all sessions' bells: the ivshmem-doorbell device of protocols/ivshmem.h,
// driven by VFIO. It is given no memory: its container maps nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "protocols/ivshmem.h"
#include "protocols/posix/fd.h"
#include "protocols/posix/mapping.h"

namespace cede::driver {

class BellDevice {
 public:
  // The one that is bound to vfio-pci. Throws SetupError.
  [[nodiscard]] static std::string address();
  [[nodiscard]] static BellDevice open() { return BellDevice(address()); }

  [[nodiscard]] unsigned bells() const noexcept { return static_cast<unsigned>(kicks_.size()); }
  // An eventfd that only this guest's kernel signals: so it may be read.
  [[nodiscard]] int kick_fd(unsigned bell) const noexcept { return kicks_[bell].get(); }
  void clear_kick(unsigned bell) const noexcept;
  // Everything that was written to the session's region before is seen by whom this wakes.
  void call(unsigned bell) const noexcept;

 private:
  explicit BellDevice(const std::string& address);
  void map_registers();
  // Without it no interrupt ever comes, and nothing says why.
  void let_it_interrupt();
  void take_interrupts();

  Fd container_;
  Fd group_;
  Fd device_;
  Mapping registers_;
  std::vector<Fd> kicks_;
};

}  // namespace cede::driver
