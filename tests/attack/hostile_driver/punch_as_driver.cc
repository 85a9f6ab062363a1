// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/attack/attack.h"
#include "tests/attack/driver.h"

namespace cede::attack {
namespace {

void run(Driver& driver) {
  Stage& stage = driver.stage();
  const int region = driver.region();
  std::byte* const memory = driver.memory().data();
  const auto bytes = static_cast<off_t>(driver.geometry().bytes());
  const char byte = 0;
  const int hole = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
  stage.expect_refused("the region is cut off", ::ftruncate(region, 0));
  stage.expect_refused("the region grows", ::ftruncate(region, 2 * bytes));
  stage.expect_refused("a hole is punched", ::fallocate(region, hole, 0, bytes));
  stage.expect_refused("pages are removed",
                       ::madvise(memory, static_cast<std::size_t>(bytes), MADV_REMOVE));
  stage.expect_refused("the file is written", ::pwrite(region, &byte, 1, 0));
  stage.expect_refused("one more seal is set", ::fcntl(region, F_ADD_SEALS, F_SEAL_WRITE));
  const void* const second =
      ::mmap(nullptr, kPageBytes, PROT_READ | PROT_WRITE, MAP_SHARED, region, 0);
  stage.expect_refused("a new mapping is writable", second == MAP_FAILED ? -1 : 0);
}

const Entry entry{
    {.name = "punch-as-driver",
     .family = "hostile-driver",
     .source = "memfd seals: SHRINK and GROW alone do not stop it",
     .does = "takes the pages out of its client's hands, in each way that the kernel has",
     .holds = "the kernel refuses a driver as it refuses a client",
     .fate = Fate::Stays,
     .run = &run}};

}  // namespace
}  // namespace cede::attack
