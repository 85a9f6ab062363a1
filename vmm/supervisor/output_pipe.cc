// SPDX-License-Identifier: Apache-2.0
#include "vmm/supervisor/output_pipe.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cctype>
#include <stdexcept>
#include <utility>

namespace cede::supervisor {
namespace {

constexpr std::size_t kLastLineBytes = 300;
constexpr std::size_t kReadBytes = 16384;
constexpr int kReadsAtOnce = 16;  // a child that writes without end must not hold the loop

}  // namespace

PipeEnds make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("cannot make a pipe");
  return {Fd(ends[0]), Fd(ends[1])};
}

PipeEnds kept_pipe(KeeperLink& keeper, const std::string& name) {
  const std::string read = name + "/read";
  const std::string write = name + "/write";
  PipeEnds ends{keeper.take(read), keeper.take(write)};
  if (!ends.read || !ends.write) ends = make_pipe();
  keeper.keep(read, ends.read.get());
  keeper.keep(write, ends.write.get());
  return ends;
}

OutputPipe::OutputPipe(EventLoop& loop, PipeEnds ends, Sink sink)
    : ends_(std::move(ends)), sink_(std::move(sink)) {
  // Our end is an open file of its own: the children's stays blocking, as programs expect.
  ::fcntl(ends_.read.get(), F_SETFL, O_NONBLOCK);
  watch_ = loop.when_readable(ends_.read.get(), [this] { drain(); });
}

void OutputPipe::drain() {
  std::array<char, kReadBytes> buffer;
  for (int i = 0; i < kReadsAtOnce; ++i) {
    const ssize_t got = ::read(ends_.read.get(), buffer.data(), buffer.size());
    if (got <= 0) return;
    sink_({buffer.data(), static_cast<std::size_t>(got)});
  }
}

void BoundedLog::append(std::string_view text) {
  remember(text);
  if (file_ && bytes_ + text.size() > kMaxBytes) {
    file_.reset();
    std::filesystem::path old = path_;
    old += ".1";
    std::error_code ignored;
    std::filesystem::rename(path_, old, ignored);
  }
  if (!file_) {
    file_ = Fd(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    std::error_code ignored;
    const auto there = std::filesystem::file_size(path_, ignored);
    bytes_ = ignored ? 0 : there;
  }
  // A log that cannot be written, on a full file system, is no reason to stop serving.
  (void)!::write(file_.get(), text.data(), text.size());
  bytes_ += text.size();
}

void BoundedLog::remember(std::string_view text) {
  for (const char c : text) {
    if (c != '\n') {
      if (line_.size() < kLastLineBytes) line_ += c;
    } else if (!line_.empty()) {
      last_line_ = printable(line_, kLastLineBytes);
      line_.clear();
    }
  }
}

void RecentLines::append(std::string_view text) {
  for (const char c : text) {
    if (c != '\n') {
      if (line_.size() < kMaxLineBytes) line_ += c;
      continue;
    }
    lines_.push_back(std::exchange(line_, {}));
    if (lines_.size() > kMaxLines) lines_.pop_front();
  }
}

std::string RecentLines::text() const {
  std::string text;
  for (const std::string& line : lines_) text.append(line).append("\n");
  return text.append(line_);
}

std::string printable(std::string_view text, std::size_t max_bytes) {
  std::string safe(text.substr(0, max_bytes));
  for (char& c : safe) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x80 || std::isprint(byte) == 0) c = '?';
  }
  return safe;
}

}  // namespace cede::supervisor
