// SPDX-License-Identifier: Apache-2.0
// One life of a block driver: the real session host and multiplexer on a fickle medium, in a thread
// of the test, which can die at any moment.
#pragma once

#include <atomic>
#include <memory>
#include <thread>
#include <utility>

#include "driver_vm/block/block_service.h"
#include "driver_vm/session_host/session_host.h"
#include "driver_vm/session_host/socket_capability.h"
#include "tests/unit/replay/fickle_medium.h"

namespace cede::test {

class DriverLife {
 public:
  // Serves device 0, the whole medium, to whoever is granted it on this capability socket.
  DriverLife(Fd capability, FickleMedium& medium)
      : thread_([this, &medium, capability = std::move(capability)]() mutable {
          live(std::move(capability), medium);
        }) {}
  DriverLife(const DriverLife&) = delete;
  DriverLife& operator=(const DriverLife&) = delete;
  // As kill(), and waits for the end of everything.
  ~DriverLife() {
    kill();
    thread_.join();
  }

  // As kill -9: between two steps nothing more is answered, shown, or released. What the medium has
  // in flight keeps the sessions' pages, as the kernel would, until it is through with it.
  void kill() noexcept { killed_ = true; }
  // It ended by itself: the broker closed its domain, and it has drained.
  [[nodiscard]] bool ended() const noexcept { return ended_; }

 private:
  void live(Fd capability, FickleMedium& medium) {
    driver::EventLoop loop;
    FickleMedium::Disk disk(medium);
    driver::Volume volume;
    volume.name = "fickle";
    volume.length = disk.facts().bytes;
    driver::BlockService service(disk, {volume});
    const auto stats = std::make_unique<StatsPage>();
    driver::SocketCapability socket(std::move(capability), driver::Regions::Donated);
    driver::SessionHost host(socket, loop, service, *stats);
    loop.start({});
    host.start();
    while (!killed_ && !host.finished()) step(loop, disk, service, host);
    ended_ = !killed_;
    disk.die();
    while (disk.busy()) std::this_thread::sleep_for(std::chrono::microseconds(100));
  }

  void step(driver::EventLoop& loop, FickleMedium::Disk& disk, driver::BlockService& service,
            driver::SessionHost& host) {
    const driver::Instant now = driver::monotonic_now();
    host.turn(now);
    if (killed_) return;
    bool worked = service.turn(now);
    if (killed_) return;
    worked = disk.poll() || worked;
    if (killed_) return;
    worked = service.publish() || worked;
    if (killed_) return;
    worked = loop.poll() || worked;
    if (!worked) loop.sleep(now + 50 * driver::kMicrosecond);
  }

  std::atomic<bool> killed_ = false;
  std::atomic<bool> ended_ = false;
  std::thread thread_;
};

}  // namespace cede::test
