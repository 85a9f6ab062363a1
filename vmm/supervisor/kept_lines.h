// SPDX-License-Identifier: Apache-2.0
// The last lines of a text stream, which outlive us with the keeper.
#pragma once

#include <string>
#include <string_view>

#include "protocols/posix/fd.h"
#include "vmm/process/keeper.h"
#include "vmm/supervisor/output_pipe.h"

namespace cede::supervisor {

class KeptLines {
 public:
  // Goes on with what an earlier life has left under the name. Throws std::runtime_error.
  KeptLines(KeeperLink& keeper, const std::string& name);

  // An earlier life that is killed in here leaves the lines that came before `text`, or all of
  // them, or one that is cut.
  void append(std::string_view text);
  [[nodiscard]] const RecentLines& recent() const noexcept { return recent_; }

 private:
  RecentLines recent_;
  Fd memory_;  // what recent_ remembers, from the beginning to the end
};

}  // namespace cede::supervisor
