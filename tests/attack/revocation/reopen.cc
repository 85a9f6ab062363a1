// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <string>

#include "tests/attack/attack.h"
#include "tests/attack/siege.h"

namespace cede::attack {
namespace {

void run(Client& client) {
  const Disk& disk = client.disk();
  const std::string path = "/proc/self/fd/" + std::to_string(disk.region.get());
  const auto size = static_cast<off_t>(disk.geometry.bytes());
  // Opening it anew is no offence; an open file of its own could have other rights than the first.
  const auto reopened = [path](int flags, auto call) {
    return [path, flags, call]() -> long {
      const Fd file(::open(path.c_str(), flags | O_CLOEXEC));
      if (!file) return -1;
      return call(file.get());
    };
  };
  besiege(
      client,
      std::array{
          Attempt{"written to by another open file",
                  reopened(O_RDWR, [](int file) { return ::write(file, "x", 1); })},
          Attempt{"appended to by another open file",
                  reopened(O_WRONLY | O_APPEND, [](int file) { return ::write(file, "x", 1); })},
          Attempt{"cut short by another open file",
                  reopened(O_RDWR, [](int file) { return ::ftruncate(file, 0); })},
          Attempt{"holes punched by another open file",
                  reopened(O_RDWR,
                           [size](int file) {
                             return ::fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
                                                size);
                           })},
          Attempt{"mapped by another open file", reopened(O_RDWR,
                                                          [size](int file) {
                                                            return reinterpret_cast<long>(::mmap(
                                                                nullptr,
                                                                static_cast<std::size_t>(size),
                                                                PROT_WRITE, MAP_SHARED, file, 0));
                                                          })},
      });
}

const Entry entry{{.name = "reopen",
                   .family = "revocation",
                   .source = "proc(5): /proc/self/fd opens a memfd anew",
                   .does = "opens the region by /proc, then writes, cuts, punches and maps it",
                   .holds = "the kernel refuses: seals are the file's, not the open file's",
                   .run = &run}};

}  // namespace
}  // namespace cede::attack
