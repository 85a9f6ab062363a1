// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <liburing.h>
#include <linux/falloc.h>
#include <sys/mman.h>

#include <array>
#include <cerrno>
#include <stdexcept>

#include "tests/attack/attack.h"
#include "tests/attack/siege.h"

namespace cede::attack {
namespace {

class Uring {
 public:
  Uring() {
    if (::io_uring_queue_init(8, &ring_, 0) < 0) throw std::runtime_error("there is no io_uring");
  }
  ~Uring() { ::io_uring_queue_exit(&ring_); }
  Uring(const Uring&) = delete;
  Uring& operator=(const Uring&) = delete;

  // Runs one operation, with a system call's way to say how it ended.
  long call(auto prepare) {
    prepare(::io_uring_get_sqe(&ring_));
    io_uring_cqe* completion = nullptr;
    if (::io_uring_submit_and_wait(&ring_, 1) < 0 || ::io_uring_peek_cqe(&ring_, &completion) < 0) {
      throw std::runtime_error("io_uring does not answer");
    }
    const int result = completion->res;
    ::io_uring_cqe_seen(&ring_, completion);
    errno = result < 0 ? -result : 0;
    return result < 0 ? -1 : result;
  }

 private:
  io_uring ring_{};
};

void run(Client& client) {
  const Disk& disk = client.disk();
  const int region = disk.region.get();
  const std::uint64_t size = disk.geometry.bytes();
  Uring uring;
  besiege(client, std::array{
                      Attempt{"IORING_OP_WRITE",
                              [&] {
                                return uring.call([=](io_uring_sqe* sqe) {
                                  ::io_uring_prep_write(sqe, region, "x", 1, 0);
                                });
                              }},
                      Attempt{"IORING_OP_FALLOCATE",
                              [&] {
                                return uring.call([=](io_uring_sqe* sqe) {
                                  ::io_uring_prep_fallocate(
                                      sqe, region, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
                                      static_cast<off_t>(size));
                                });
                              }},
                      Attempt{"IORING_OP_MADVISE",
                              [&] {
                                return uring.call([&](io_uring_sqe* sqe) {
                                  ::io_uring_prep_madvise(sqe, disk.memory.data(),
                                                          static_cast<off_t>(size), MADV_REMOVE);
                                });
                              }},
                  });
}

const Entry entry{{.name = "io-uring-calls",
                   .family = "revocation",
                   .source = "io_uring: the same operations by another way into the kernel",
                   .does = "writes to, punches and empties the region by io_uring",
                   .holds = "the kernel refuses",
                   .run = &run}};

}  // namespace
}  // namespace cede::attack
