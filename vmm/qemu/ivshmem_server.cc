// SPDX-License-Identifier: Apache-2.0
#include "vmm/qemu/ivshmem_server.h"

#include <endian.h>
#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <cstdint>
#include <span>

#include "protocols/ivshmem.h"
#include "protocols/posix/channel.h"
#include "vmm/qemu/region_file.h"

namespace cede::qemu {
namespace {

constexpr std::int64_t kVersion = 0;
constexpr std::int64_t kSharedMemory = -1;
constexpr int kRoom = 1 << 20;  // for the set-up; the kernel grants what it likes

Status queue(const Fd& socket, std::int64_t value, int descriptor = -1) {
  const std::uint64_t wire = htole64(static_cast<std::uint64_t>(value));
  const auto bytes = std::as_bytes(std::span(&wire, 1));
  return descriptor < 0 ? send_packet(socket.get(), bytes)
                        : send_packet(socket.get(), bytes, std::span(&descriptor, 1));
}

// Makes an eventfd, keeps an end of it, and queues it for the peer `id`.
template <class End>
Status queue_bell(const Fd& socket, std::int64_t id, std::vector<End>& ends) {
  const Fd bell(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!bell) return Status::IoError;
  Result<End> end = End::make(bell.get());
  if (!end) return end.status();
  ends.push_back(*std::move(end));
  return queue(socket, id, bell.get());
}

// Readable when `socket` is hung up, and at nothing else.
Fd hang_up_of(const Fd& socket) {
  Fd set(::epoll_create1(EPOLL_CLOEXEC));
  epoll_event hang_up_only{};
  if (set && ::epoll_ctl(set.get(), EPOLL_CTL_ADD, socket.get(), &hang_up_only) != 0) set.reset();
  return set;
}

}  // namespace

Result<IvshmemEnds> IvshmemServer::make(Fd socket, int region, unsigned bells) {
  if (bells < 1 || bells > kMaxBells) return Status::Invalid;
  if (const Result<std::uint64_t> bytes = region_bytes(region); !bytes) return bytes.status();

  // QEMU cannot send on its end then, nor make us close descriptors that it has sent.
  if (::shutdown(socket.get(), SHUT_RD) != 0) return Status::IoError;
  (void)::setsockopt(socket.get(), SOL_SOCKET, SO_SNDBUF, &kRoom, sizeof kRoom);
  Fd hang_up = hang_up_of(socket);
  if (!hang_up) return Status::IoError;

  Status status = queue(socket, kVersion);
  if (status == Status::Ok) status = queue(socket, kIvshmemGuest);
  if (status == Status::Ok) status = queue(socket, kSharedMemory, region);
  std::vector<DoorbellEnd> doorbells;
  std::vector<InterruptEnd> interrupts;
  for (unsigned i = 0; i < bells && status == Status::Ok; ++i) {
    status = queue_bell(socket, kIvshmemClients, doorbells);
  }
  for (unsigned i = 0; i < bells && status == Status::Ok; ++i) {
    status = queue_bell(socket, kIvshmemGuest, interrupts);
  }
  if (status != Status::Ok) return status;
  return IvshmemEnds{.server = IvshmemServer(std::move(socket), std::move(hang_up)),
                     .interrupts = std::move(interrupts),
                     .doorbells = std::move(doorbells)};
}

std::vector<std::string> IvshmemServer::device_arguments(int client, unsigned bells) {
  return {"-chardev", fmt::format("socket,id=bells,fd={}", client), "-device",
          fmt::format("ivshmem-doorbell,id=bells,chardev=bells,vectors={}", bells)};
}

bool IvshmemServer::client_gone() const noexcept {
  epoll_event event{};
  return ::epoll_wait(hang_up_.get(), &event, 1, 0) > 0;
}

}  // namespace cede::qemu
