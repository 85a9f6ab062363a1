// SPDX-License-Identifier: Apache-2.0
// What a child process writes, taken off its hands and kept within bounds: a domain must not fill
// the file system that the runtime directory is on.
#pragma once

#include <cstddef>
#include <deque>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "protocols/posix/fd.h"
#include "vmm/process/keeper.h"
#include "vmm/supervisor/event_loop.h"

namespace cede::supervisor {

struct PipeEnds {
  Fd read;
  Fd write;
};

// Throws std::runtime_error if there is no descriptor left.
[[nodiscard]] PipeEnds make_pipe();
// The one of this name that an earlier life has left with the keeper, or a new one, left there for
// later ones: what is in a pipe, and who writes to it, outlive us. Throws as above.
[[nodiscard]] PipeEnds kept_pipe(KeeperLink& keeper, const std::string& name);

// Reads a pipe whose other end children hold.
class OutputPipe {
 public:
  using Sink = std::function<void(std::string_view)>;

  OutputPipe(EventLoop& loop, PipeEnds ends, Sink sink);
  // For children; borrowed.
  [[nodiscard]] int write_end() const noexcept { return ends_.write.get(); }
  // Takes what is in the pipe now, without waiting.
  void drain();

 private:
  PipeEnds ends_;  // both, so the pipe never ends between two lives of a domain
  Sink sink_;
  EventLoop::Registration watch_;  // before the descriptors in destruction
};

// A log file of at most kMaxBytes, beside its predecessor (".1").
class BoundedLog {
 public:
  static constexpr std::size_t kMaxBytes = 1 << 20;

  // Goes on with a file that is there.
  explicit BoundedLog(std::filesystem::path path) : path_(std::move(path)) {}
  void append(std::string_view text);
  // The last line that is not empty, cut and made safe for a terminal.
  [[nodiscard]] const std::string& last_line() const noexcept { return last_line_; }

 private:
  void remember(std::string_view text);

  std::filesystem::path path_;
  Fd file_;
  std::size_t bytes_ = 0;
  std::string line_;  // the one being written
  std::string last_line_;
};

// The last lines of a text stream; longer lines are cut, older ones forgotten.
class RecentLines {
 public:
  static constexpr std::size_t kMaxLines = 32;
  static constexpr std::size_t kMaxLineBytes = 16384;

  void append(std::string_view text);
  [[nodiscard]] const std::deque<std::string>& lines() const noexcept { return lines_; }
  // The lines with their ends, and the beginning of the next: appended to another, it makes it the
  // same as this.
  [[nodiscard]] std::string text() const;

 private:
  std::string line_;
  std::deque<std::string> lines_;
};

// `text` with every control character replaced, cut to `max_bytes`.
[[nodiscard]] std::string printable(std::string_view text, std::size_t max_bytes);

}  // namespace cede::supervisor
