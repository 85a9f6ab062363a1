// SPDX-License-Identifier: Apache-2.0
// What a domain's program does first: takes over what it was started with, and sees to its signals.
// For set-up, by the program's only thread.
#pragma once

#include <fcntl.h>
#include <pthread.h>
#include <sys/signalfd.h>

#include <csignal>
#include <stdexcept>
#include <string>

#include "protocols/posix/fd.h"

namespace cede {

// Takes over descriptor `raw`, which `option` of the command line names. Throws std::runtime_error
// where there is none.
[[nodiscard]] inline Fd inherited(int raw, const char* option) {
  if (::fcntl(raw, F_SETFD, FD_CLOEXEC) != 0) {
    throw std::runtime_error(std::string(option) + " " + std::to_string(raw) +
                             ": no such descriptor");
  }
  return Fd(raw);
}

// SIGTERM and SIGINT wait from here on; SIGPIPE becomes an error where it arises. Returns those
// two.
inline sigset_t hold_stop_signals() noexcept {
  (void)std::signal(SIGPIPE, SIG_IGN);
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  sigaddset(&stop, SIGINT);
  ::pthread_sigmask(SIG_BLOCK, &stop, nullptr);
  return stop;
}

// The same, and a descriptor that is readable when one has come.
[[nodiscard]] inline Fd stop_signals() noexcept {
  const sigset_t stop = hold_stop_signals();
  return Fd(::signalfd(-1, &stop, SFD_CLOEXEC | SFD_NONBLOCK));
}

}  // namespace cede
