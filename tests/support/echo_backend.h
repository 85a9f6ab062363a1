// SPDX-License-Identifier: Apache-2.0
// An honest block backend in a thread of the test, with memory for a disk: the driver's end of a
// test session. It sleeps on the real doorbell whenever its rings are empty.
//
//   SessionParts parts = make_session_parts(geometry);
//   EchoBackend backend(parts, std::vector<std::byte>(1 << 20));
//   auto device = frontend::BlockDevice::attach(open_client(parts, backend.info()));
//
// stop() is a driver's death: what is in flight then stays unanswered.
#pragma once

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <span>
#include <stdexcept>
#include <thread>
#include <vector>

#include "protocols/block.h"
#include "protocols/posix/doorbell.h"
#include "protocols/posix/mapping.h"
#include "protocols/ring.h"
#include "tests/support/client_session.h"
#include "tests/support/session_parts.h"

namespace cede::test {

class EchoBackend {
 public:
  // Takes the driver's descriptors out of `parts` and formats the rings.
  EchoBackend(SessionParts& parts, std::vector<std::byte> disk)
      : geometry_(parts.geometry),
        disk_(std::move(disk)),
        kick_(std::move(parts.driver.kick)),
        call_(std::move(parts.driver.call)),
        stop_event_(checked(::eventfd(0, EFD_CLOEXEC))),
        epoll_(checked(::epoll_create1(EPOLL_CLOEXEC))) {
    Result<Mapping> mapping = Mapping::map(parts.driver.region.get(), geometry_.bytes());
    if (!mapping) throw std::runtime_error("cannot map the test session");
    region_ = *std::move(mapping);
    for (std::uint16_t ring = 0; ring < geometry_.rings; ++ring) {
      std::byte* base = region_.data() + geometry_.ring_offset(ring);
      format_ring(base);
      rings_.emplace_back(base, geometry_.ring_shape());
    }
    watch(kick_.fd());
    watch(stop_event_.get());
    thread_ = std::thread([this] { run(); });
  }
  EchoBackend(const EchoBackend&) = delete;
  EchoBackend& operator=(const EchoBackend&) = delete;
  ~EchoBackend() { stop(); }

  [[nodiscard]] block::Info info() const { return disk_info(disk_.size()); }
  // To be looked at after stop() only.
  [[nodiscard]] std::span<const std::byte> disk() const noexcept { return disk_; }
  // Requests answered, and times it slept; any time.
  [[nodiscard]] std::uint64_t served() const noexcept { return served_; }
  [[nodiscard]] std::uint64_t sleeps() const noexcept { return sleeps_; }
  // The frontend's producer could not be right; the backend has gone silent.
  [[nodiscard]] bool broken() const noexcept { return broken_; }

  void stop() {
    if (!thread_.joinable()) return;
    stopping_ = true;
    const std::uint64_t one = 1;
    if (::write(stop_event_.get(), &one, sizeof one) != sizeof one) std::terminate();
    thread_.join();
  }

 private:
  using Ring = BackRing<block::Request, block::Response>;

  void watch(int fd) {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLET;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
      throw std::runtime_error("cannot watch a doorbell");
    }
  }

  void run() {
    while (!stopping_ && !broken_) {
      if (serve() || !nothing_to_do()) continue;
      ++sleeps_;
      epoll_event event{};
      ::epoll_wait(epoll_.get(), &event, 1, -1);
      kick_.clear();
    }
  }

  [[nodiscard]] bool serve() {
    bool served = false;
    for (Ring& ring : rings_) {
      block::Request request;
      Verdict verdict{};
      while ((verdict = ring.take(request)) == Verdict::Ready) {
        ring.put({request.id, execute(request)});
        ++served_;
        served = true;
      }
      broken_ = broken_ || verdict == Verdict::Broken;
      if (ring.publish()) call_.ring();
    }
    return served;
  }

  [[nodiscard]] bool nothing_to_do() {
    return std::all_of(rings_.begin(), rings_.end(),
                       [](Ring& ring) { return ring.arm() == Verdict::Empty; });
  }

  [[nodiscard]] std::uint32_t execute(const block::Request& request) {
    const std::uint64_t sectors = disk_.size() / block::kSectorBytes;
    const std::uint64_t wanted = request.length / block::kSectorBytes;
    if (request.sector > sectors || wanted > sectors - request.sector) return VIRTIO_BLK_S_IOERR;
    std::byte* disk = disk_.data() + request.sector * block::kSectorBytes;
    std::byte* payload = region_.data() + request.offset;
    const bool has_payload = geometry_.holds(request.offset, request.length);
    switch (request.type) {
      case VIRTIO_BLK_T_IN:
        if (!has_payload) return VIRTIO_BLK_S_IOERR;
        std::memcpy(payload, disk, request.length);
        return VIRTIO_BLK_S_OK;
      case VIRTIO_BLK_T_OUT:
        if (!has_payload) return VIRTIO_BLK_S_IOERR;
        std::memcpy(disk, payload, request.length);
        return VIRTIO_BLK_S_OK;
      case VIRTIO_BLK_T_DISCARD:
      case VIRTIO_BLK_T_WRITE_ZEROES:
        std::memset(disk, 0, request.length);
        return VIRTIO_BLK_S_OK;
      case VIRTIO_BLK_T_GET_ID:
        if (!has_payload || request.length != VIRTIO_BLK_ID_BYTES) return VIRTIO_BLK_S_IOERR;
        std::memcpy(payload, info().serial, VIRTIO_BLK_ID_BYTES);
        return VIRTIO_BLK_S_OK;
      case VIRTIO_BLK_T_FLUSH:
        return VIRTIO_BLK_S_OK;
      default:
        return VIRTIO_BLK_S_UNSUPP;
    }
  }

  Geometry geometry_;
  std::vector<std::byte> disk_;
  KickWaiter kick_;
  CallRinger call_;
  Fd stop_event_;
  Fd epoll_;
  Mapping region_;
  std::vector<Ring> rings_;
  std::atomic<std::uint64_t> served_ = 0;
  std::atomic<std::uint64_t> sleeps_ = 0;
  std::atomic<bool> broken_ = false;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace cede::test
