// SPDX-License-Identifier: Apache-2.0
#include "vmm/qemu/command_channel.h"

#include <sys/random.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <optional>

#include "vmm/process/deadline.h"

namespace cede::qemu {
namespace {

constexpr std::size_t kReceiveSize = 64UL << 10;
constexpr std::string_view kReadyLine = "ready\n";
constexpr std::size_t kMaxStatusLength = 4;  // three digits and the newline

// 128 random bits in hexadecimal; empty if the system gives none.
std::string random_tag() {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::array<std::uint8_t, 16> bytes{};
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) return {};
  std::string tag;
  for (const unsigned byte : bytes) {
    tag += kDigits[byte >> 4U];
    tag += kDigits[byte & 15U];
  }
  return tag;
}

std::optional<int> parse_status(std::string_view digits) {
  int status = -1;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), status);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  if (status < 0 || status > 255) return std::nullopt;
  return status;
}

}  // namespace

Status CommandChannel::wait_ready(std::chrono::milliseconds timeout) {
  const Deadline deadline(timeout);
  while (!ready_) {
    if (received_.size() >= kReadyLine.size()) {
      if (!received_.starts_with(kReadyLine)) return Status::Broken;
      ready_ = true;
      return Status::Ok;
    }
    if (const Status status = receive_some(deadline.left()); status != Status::Ok) return status;
  }
  return Status::Ok;
}

Status CommandChannel::submit(std::string_view command) {
  constexpr std::string_view kForbidden("\n\0", 2);
  if (command.empty() || command.size() > kMaxCommand) return Status::Invalid;
  if (command.find_first_of(kForbidden) != std::string_view::npos) return Status::Invalid;
  if (!ready_) return Status::WrongState;
  if (!end_mark_.empty()) return Status::Busy;

  const std::string tag = random_tag();
  if (tag.empty()) return Status::IoError;
  const std::string line = tag + ' ' + std::string(command) + '\n';
  // The guest has read every command before this one, so there is room for all of it.
  const ssize_t sent = ::send(socket_.get(), line.data(), line.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0 && (errno == EPIPE || errno == ECONNRESET)) return Status::Gone;
  if (sent != static_cast<ssize_t>(line.size())) return Status::IoError;

  end_mark_ = '\n' + tag + ' ';
  received_.clear();
  searched_to_ = 0;
  return Status::Ok;
}

Result<CommandResult> CommandChannel::wait(std::chrono::milliseconds timeout) {
  if (end_mark_.empty()) return Status::WrongState;
  const Deadline deadline(timeout);
  for (;;) {
    const std::size_t mark = received_.find(end_mark_, searched_to_);
    if (mark == std::string::npos) {
      searched_to_ = received_.size() - std::min(received_.size(), end_mark_.size() - 1);
    } else {
      searched_to_ = mark;
      const std::string_view tail = std::string_view(received_).substr(mark + end_mark_.size());
      const std::size_t digits = tail.find('\n');
      if (digits != std::string_view::npos) {
        const std::optional<int> status = parse_status(tail.substr(0, digits));
        if (!status) return Status::Broken;
        received_.resize(mark);
        end_mark_.clear();
        return CommandResult{.exit_status = *status, .output = std::move(received_)};
      }
      if (tail.size() >= kMaxStatusLength) return Status::Broken;
    }
    if (const Status status = receive_some(deadline.left()); status != Status::Ok) return status;
  }
}

// Appends what has arrived, or arrives in time.
Status CommandChannel::receive_some(std::chrono::milliseconds timeout) {
  if (received_.size() > kMaxOutput) return Status::Full;
  if (!wait_readable(socket_.get(), Deadline(timeout))) return Status::TimedOut;
  const std::size_t before = received_.size();
  received_.resize(before + kReceiveSize);
  const ssize_t got = ::recv(socket_.get(), received_.data() + before, kReceiveSize, MSG_DONTWAIT);
  received_.resize(before + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  if (got > 0) return Status::Ok;
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return Status::Ok;
  return got == 0 || errno == ECONNRESET ? Status::Gone : Status::IoError;
}

}  // namespace cede::qemu
