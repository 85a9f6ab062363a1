// SPDX-License-Identifier: Apache-2.0
// The host's end of the channel on which a guest of ours takes shell commands. The protocol, in
// lines over a virtio serial port, is images/init's:
//   guest: ready
//   host:  TAG COMMAND
//   guest: the output of COMMAND, a newline, then: TAG STATUS
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

#include "protocols/posix/fd.h"
#include "protocols/status.h"

namespace cede::qemu {

struct CommandResult {
  int exit_status = 0;  // 0 to 255; 128 + N after signal N, as the shell says it
  std::string output;   // standard output and standard error as they came
};

// The guest is not trusted: a command's output is as true as the guest is, and bounded here.
// For one thread at a time.
class CommandChannel {
 public:
  static constexpr std::size_t kMaxCommand = 64UL << 10;
  static constexpr std::size_t kMaxOutput = 64UL << 20;

  CommandChannel() = default;
  explicit CommandChannel(Fd socket) : socket_(std::move(socket)) {}

  // Ok as soon as the guest takes commands. TimedOut: may be called again. Gone: the guest ended.
  Status wait_ready(std::chrono::milliseconds timeout);

  // Sends one command, to be run by sh. Invalid: it is empty, longer than kMaxCommand, or holds a
  // newline or NUL. WrongState: the guest is not ready. Busy: the one before has no result yet.
  Status submit(std::string_view command);

  // The result of the command submitted. TimedOut: it runs on, and may be waited for again.
  // Full: it printed more than kMaxOutput; Broken: its end is malformed; in both cases the channel
  // is of no more use. WrongState: none was submitted.
  Result<CommandResult> wait(std::chrono::milliseconds timeout);

 private:
  Status receive_some(std::chrono::milliseconds timeout);

  Fd socket_;
  bool ready_ = false;
  std::string end_mark_;         // empty while no command runs
  std::string received_;         // since the last command was submitted
  std::size_t searched_to_ = 0;  // no end mark starts before this
};

}  // namespace cede::qemu
