// SPDX-License-Identifier: Apache-2.0
// Serves one region and pairs of doorbells to one ivshmem-doorbell device of QEMU's.
//
// Source: QEMU's docs/specs/ivshmem-spec, protocol version 0. Messages go from the server to QEMU
// only, over a Unix stream socket: 8 bytes, little-endian, signed, each with at most one
// descriptor:
//   0                            the version
//   kIvshmemGuest                the device's own id
//   -1              + memfd      the shared memory
//   kIvshmemClients + eventfd    which QEMU or KVM signals when the guest rings; one for each bell
//   kIvshmemGuest   + eventfd    which QEMU or KVM injects as MSI-X; one for each bell
//
// QEMU reads the first three in its main loop, blocking: a server that stalls in between stops the
// whole VM. So nothing is served on demand. make() writes all of it at once into a socket whose
// other end QEMU inherits (device_arguments()): it is in the queue before QEMU asks, or QEMU waits
// for it at its start, while it has no guest to stop. That also means one client only, no path in
// the file system, no half-sent set-up unless this process dies, and that our copies of the
// eventfds are closed before a guest runs (eventfd_ends.h says why that matters).
//
// The device is for a VM's whole life. QEMU 7.2 must not be asked to unplug it: under TCG it leaves
// the handlers of the vectors' descriptors registered, with freed memory, and dies as soon as a
// descriptor of the same number is ready (tried); and its ivshmem_exit closes the memory's
// descriptor, which is closed again later. Sessions come and go as plain memory, see hot_plug.h.
//
// From QEMU nothing is read, for the protocol has nothing to say in that direction; the kernel
// refuses to let it send. No call blocks. One thread at a time.
#pragma once

#include <string>
#include <vector>

#include "protocols/posix/fd.h"
#include "protocols/status.h"
#include "vmm/qemu/eventfd_ends.h"

namespace cede::qemu {

struct IvshmemEnds;

class IvshmemServer {
 public:
  // Makes the eventfds and queues the whole set-up. `socket` is one end of a stream pair that
  // nobody has written to. `region`, a memfd, is borrowed; it may be a page that nobody uses.
  // Invalid: `bells` is not 1 to kMaxBells; or as region_bytes() says. Busy: the socket has no room
  // for so many (net.core.wmem_max). Gone: nobody has the other end.
  [[nodiscard]] static Result<IvshmemEnds> make(Fd socket, int region, unsigned bells);

  // QEMU's arguments for the device, on the socket's other end, inherited under this number.
  [[nodiscard]] static std::vector<std::string> device_arguments(int client, unsigned bells);

  // Readable once QEMU has closed its end: it is gone, or had better be.
  [[nodiscard]] int fd() const noexcept { return hang_up_.get(); }
  [[nodiscard]] bool client_gone() const noexcept;

 private:
  IvshmemServer(Fd socket, Fd hang_up) noexcept
      : socket_(std::move(socket)), hang_up_(std::move(hang_up)) {}

  Fd socket_;
  Fd hang_up_;  // an epoll set; the socket itself is always readable, being shut
};

struct IvshmemEnds {
  IvshmemServer server;
  std::vector<InterruptEnd> interrupts;  // one for each bell
  std::vector<DoorbellEnd> doorbells;    // likewise
};

}  // namespace cede::qemu
