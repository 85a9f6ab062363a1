// SPDX-License-Identifier: Apache-2.0
#include "driver_vm/guest/bell_device.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "driver_vm/guest/pci.h"
#include "driver_vm/setup_error.h"

namespace cede::driver {
namespace {

[[noreturn]] void fail(const std::string& what) {
  throw SetupError(fmt::format("bell device: {}", what));
}
[[noreturn]] void fail_by_errno(const std::string& what) {
  const int error = errno;
  fail(fmt::format("{}: {}", what, std::generic_category().message(error)));
}

[[nodiscard]] Fd open_device(const std::string& path) {
  Fd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!fd) fail_by_errno("cannot open " + path);
  return fd;
}

[[nodiscard]] vfio_region_info region(const Fd& device, std::uint32_t index) {
  vfio_region_info info{};
  info.argsz = sizeof info;
  info.index = index;
  if (::ioctl(device.get(), VFIO_DEVICE_GET_REGION_INFO, &info) != 0) {
    fail_by_errno("cannot find its region " + std::to_string(index));
  }
  return info;
}

}  // namespace

std::string BellDevice::address() {
  for (const std::string& address : pci::devices(kIvshmemVendor, kIvshmemDevice)) {
    if (pci::link(address, "driver") == "vfio-pci") return address;
  }
  fail("there is none that is bound to vfio-pci");
}

BellDevice::BellDevice(const std::string& address) : container_(open_device("/dev/vfio/vfio")) {
  group_ = open_device("/dev/vfio/" + pci::link(address, "iommu_group"));
  vfio_group_status status{.argsz = sizeof status, .flags = 0};
  if (::ioctl(group_.get(), VFIO_GROUP_GET_STATUS, &status) != 0 ||
      (status.flags & VFIO_GROUP_FLAGS_VIABLE) == 0) {
    fail("others are in its IOMMU group");
  }
  const int container = container_.get();
  if (::ioctl(group_.get(), VFIO_GROUP_SET_CONTAINER, &container) != 0 ||
      ::ioctl(container_.get(), VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU) != 0) {
    fail_by_errno("no IOMMU of type 1 for it");
  }
  device_ = Fd(::ioctl(group_.get(), VFIO_GROUP_GET_DEVICE_FD, address.c_str()));
  if (!device_) fail_by_errno("cannot be had from its group");
  map_registers();
  let_it_interrupt();
  take_interrupts();
}

void BellDevice::map_registers() {
  const vfio_region_info bar = region(device_, VFIO_PCI_BAR0_REGION_INDEX);
  if (bar.size < kIvshmemDoorbell + sizeof(std::uint32_t)) fail("has no registers");
  Result<Mapping> mapping =
      Mapping::map_device(device_.get(), bar.offset, static_cast<std::size_t>(bar.size));
  if (!mapping) fail_by_errno("its registers cannot be mapped");
  registers_ = *std::move(mapping);
}

void BellDevice::let_it_interrupt() {
  const vfio_region_info config = region(device_, VFIO_PCI_CONFIG_REGION_INDEX);
  const auto place = static_cast<off_t>(config.offset + PCI_COMMAND);
  std::uint16_t command = 0;
  bool done = ::pread(device_.get(), &command, sizeof command, place) == sizeof command;
  command |= PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
  done = done && ::pwrite(device_.get(), &command, sizeof command, place) == sizeof command;
  if (!done) fail_by_errno("cannot be made a bus master");
}

void BellDevice::take_interrupts() {
  vfio_irq_info info{};
  info.argsz = sizeof info;
  info.index = VFIO_PCI_MSIX_IRQ_INDEX;
  if (::ioctl(device_.get(), VFIO_DEVICE_GET_IRQ_INFO, &info) != 0 || info.count == 0) {
    fail("has no vectors");
  }
  const std::uint32_t count = std::min(info.count, kMaxBells);
  // A head that is followed by `count` descriptors.
  vfio_irq_set head{};
  head.argsz = static_cast<std::uint32_t>(sizeof head + count * sizeof(std::int32_t));
  head.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
  head.index = VFIO_PCI_MSIX_IRQ_INDEX;
  head.count = count;
  std::vector<std::int32_t> words(sizeof head / sizeof(std::int32_t));
  std::memcpy(words.data(), &head, sizeof head);
  for (std::uint32_t i = 0; i < count; ++i) {
    kicks_.emplace_back(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!kicks_.back()) fail_by_errno("no eventfd for its vectors");
    words.push_back(kicks_.back().get());
  }
  // All at once: another set of vectors would have to be asked for from the start.
  if (::ioctl(device_.get(), VFIO_DEVICE_SET_IRQS, words.data()) != 0) {
    fail_by_errno("its vectors cannot be had");
  }
}

void BellDevice::clear_kick(unsigned bell) const noexcept {
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t got = ::read(kicks_[bell].get(), &count, sizeof count);
}

void BellDevice::call(unsigned bell) const noexcept {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  auto* const doorbell =
      reinterpret_cast<volatile std::uint32_t*>(registers_.data() + kIvshmemDoorbell);
  *doorbell = doorbell_to_client(bell);
}

}  // namespace cede::driver
