// SPDX-License-Identifier: Apache-2.0
#include "driver_vm/guest/guest_devices.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

#include "driver_vm/guest/bell_device.h"
#include "driver_vm/guest/guest_capability.h"
#include "driver_vm/guest/pci.h"
#include "driver_vm/guest/region_bar.h"
#include "driver_vm/setup_error.h"
#include "protocols/stats.h"

namespace cede::driver {
namespace {

namespace fs = std::filesystem;

constexpr unsigned kStatsBar = 2;  // of the bell device

// Without O_SYNC, which would make mappings uncached.
[[nodiscard]] Fd open_memory() {
  Fd memory(::open("/dev/mem", O_RDWR | O_CLOEXEC));
  if (!memory) throw SetupError("--driver-vm: cannot open /dev/mem");
  return memory;
}

struct Devices {
  BellDevice bells = BellDevice::open();
  Fd memory = open_memory();
};

class GuestEnds final : public SessionEnds {
 public:
  GuestEnds(std::shared_ptr<const Devices> devices, unsigned port, std::string region,
            PacketStream& stream)
      : devices_(std::move(devices)),
        port_(port),
        stream_(stream),
        region_(std::move(region), devices_->memory) {}

  [[nodiscard]] Result<std::span<std::byte>> map(std::size_t bytes) override {
    return region_.map(bytes);
  }
  // The memory of a device has no pages that could be held (io_uring says EFAULT); nor needs it to
  // be: the host holds them.
  [[nodiscard]] bool pinnable() const noexcept override { return false; }
  [[nodiscard]] int kick_fd() const noexcept override { return devices_->bells.kick_fd(port_); }
  void clear_kick() noexcept override { devices_->bells.clear_kick(port_); }
  // An interrupt costs this guest its time even if nobody listens.
  void hold_kicks(Duration duration) noexcept override {
    if (!stream_.all_sent()) return;
    stream_.send({.kind = VmPacket::Kind::HoldKicks,
                  .port = port_,
                  .microseconds = static_cast<std::uint32_t>(duration / kMicrosecond)});
  }
  void call() noexcept override { devices_->bells.call(port_); }

 private:
  std::shared_ptr<const Devices> devices_;
  unsigned port_;
  PacketStream& stream_;
  RegionBar region_;
};

[[nodiscard]] Fd open_port() {
  std::error_code error;
  for (const fs::directory_entry& port : fs::directory_iterator("/sys/class/virtio-ports", error)) {
    std::string name;
    std::getline(std::ifstream(port.path() / "name"), name);
    if (name != kDriverVmPort) continue;
    Fd fd(::open(("/dev" / port.path().filename()).c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
    if (!fd) throw SetupError("cannot open " + port.path().filename().string());
    return fd;
  }
  throw SetupError("--driver-vm: no virtio-serial port has the name " + std::string(kDriverVmPort));
}

// Until then, the port looks as it does when the host has gone.
void await_host(const Fd& port) {
  constexpr int kTries = 1000;
  constexpr useconds_t kPause = 20'000;
  for (int i = 0; i < kTries; ++i) {
    pollfd state{.fd = port.get(), .events = POLLOUT, .revents = 0};
    if (::poll(&state, 1, 0) >= 0 && (state.revents & POLLHUP) == 0) return;
    ::usleep(kPause);
  }
  throw SetupError("--driver-vm: the host does not open its end of " + std::string(kDriverVmPort));
}

}  // namespace

std::unique_ptr<Capability> open_guest_capability() {
  auto devices = std::make_shared<Devices>();
  Fd port = open_port();
  await_host(port);
  const unsigned ports = devices->bells.bells();
  return std::make_unique<GuestCapability>(
      std::move(port), ports,
      [devices = std::move(devices)](unsigned number,
                                     PacketStream& stream) -> std::unique_ptr<SessionEnds> {
        std::optional<std::string> region = find_region(number);
        if (!region) return nullptr;
        return std::make_unique<GuestEnds>(devices, number, *std::move(region), stream);
      });
}

std::optional<Mapping> map_guest_stats() {
  const std::optional<pci::Range> bar = pci::bar(BellDevice::address(), kStatsBar);
  if (!bar || bar->bytes < sizeof(StatsPage)) return std::nullopt;
  const Fd memory = open_memory();
  Result<Mapping> mapping =
      Mapping::map_device(memory.get(), bar->start, static_cast<std::size_t>(bar->bytes));
  if (!mapping) throw SetupError("--driver-vm: the memory for counters cannot be mapped");
  return *std::move(mapping);
}

}  // namespace cede::driver
