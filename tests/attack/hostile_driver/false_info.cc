// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/attack.h"
#include "tests/attack/driver.h"

namespace cede::attack {
namespace {

block::Info with(block::Info info, std::uint32_t block::Info::*field, std::uint32_t value) {
  info.*field = value;
  return info;
}

void run(Driver& driver) {
  using block::Info;
  const Info right = driver.info();
  Info endless = right;
  endless.sectors = ~0ULL;
  const Info lies[] = {
      with(right, &Info::logical_block, 0),  with(right, &Info::logical_block, 1U << 20),
      with(right, &Info::physical_block, 3), with(right, &Info::max_transfer, 0),
      with(right, &Info::max_erase, 511),    endless};
  for (const Info& lie : lies) {
    driver.info() = lie;
    if (!driver.begin_anew()) return driver.stage().broke("its client does not come back");
    if (!driver.await_closing()) return driver.stage().broke("its client takes such a disk");
  }
  driver.stage().cut_off();
}

const Entry entry{{.name = "false-info",
                   .family = "hostile-driver",
                   .source = "block::Info: a client believes no word of it unchecked",
                   .does = "tells of disks that there cannot be",
                   .holds = "its client takes none of them",
                   .fate = Fate::CutOff,
                   .run = &run}};

}  // namespace
}  // namespace cede::attack
