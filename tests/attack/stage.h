// SPDX-License-Identifier: Apache-2.0
// What ties an attacker to its arena: the arena's sign to begin, and lines that the attacker says.
//
//   refused WHAT ERRNO   an attempt came to nothing, as it has to
//   broke TEXT           an attempt had an effect that it must not have
//   cut-off MS           the attacker's session was ended, so long after the beginning
//   gave-up TEXT         the attacker could go on no further
//   note TEXT            for people
#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include <chrono>
#include <string>
#include <string_view>

#include "protocols/posix/fd.h"

namespace cede::attack {

// The attacker's end. One thread at a time.
class Stage {
 public:
  // To be made before privileges are given up: `directory` has the two pipes. Throws
  // std::runtime_error.
  explicit Stage(const std::string& directory);

  // Has the sign been given?
  [[nodiscard]] bool begun();
  // Notes the outcome of a system call that must fail.
  void expect_refused(std::string_view what, long result);
  void broke(std::string_view what) { say("broke", what); }
  // The first time counts.
  void cut_off();
  void gave_up(std::string_view why) { say("gave-up", why); }
  void note(std::string_view what) { say("note", what); }

 private:
  void say(std::string_view kind, std::string_view text);

  Fd go_;
  Fd said_;
  std::chrono::steady_clock::time_point begun_{};
  bool was_cut_off_ = false;
};

}  // namespace cede::attack
