// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <stdexcept>

#include "tests/attack/attack.h"
#include "tests/attack/siege.h"

namespace cede::attack {
namespace {

void run(Client& client) {
  const Disk& disk = client.disk();
  const int region = disk.region.get();
  const auto at = static_cast<off64_t>(disk.geometry.data_offset());

  const Fd other(::memfd_create("a page of its own", MFD_CLOEXEC));
  int pipe[2];
  if (::ftruncate(other.get(), kPageBytes) != 0 || ::pipe2(pipe, O_CLOEXEC) != 0 ||
      ::write(pipe[1], "x", 1) != 1) {
    throw std::runtime_error("nothing to write from");
  }
  const Fd out(pipe[0]);
  const Fd in(pipe[1]);

  besiege(client, std::array{
                      Attempt{"pwrite", [=] { return ::pwrite(region, "x", 1, at); }},
                      Attempt{"pwritev2",
                              [=] {
                                char byte = 'x';
                                const iovec piece{&byte, 1};
                                return ::pwritev2(region, &piece, 1, at, 0);
                              }},
                      Attempt{"splice",
                              [&] {
                                off64_t to = at;
                                return ::splice(out.get(), nullptr, region, &to, 1,
                                                SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
                              }},
                      Attempt{"sendfile",
                              [&] {
                                off_t from = 0;
                                return ::sendfile(region, other.get(), &from, kPageBytes);
                              }},
                      Attempt{"copy_file_range",
                              [&] {
                                off64_t from = 0;
                                off64_t to = at;
                                return ::copy_file_range(other.get(), &from, region, &to,
                                                         kPageBytes, 0);
                              }},
                  });
}

const Entry entry{{.name = "write-by-file",
                   .family = "revocation",
                   .source = "fcntl(2): F_SEAL_FUTURE_WRITE, and who else writes to files",
                   .does = "writes to the region by its file, in all the ways that there are",
                   .holds = "the kernel refuses; only stores by the mapping change a byte",
                   .run = &run}};

}  // namespace
}  // namespace cede::attack
