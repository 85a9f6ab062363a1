// SPDX-License-Identifier: Apache-2.0
// A real driver program, of whatever device class, with the broker's part of the conversation
// played here.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "driver_vm/session_host/stats_page.h"
#include "protocols/control.h"
#include "protocols/posix/channel.h"
#include "tests/support/session_parts.h"
#include "vmm/process/process.h"

namespace cede::test {

inline constexpr int kPatience = 20'000;  // milliseconds until a test gives up; never the norm

class DriverProgram {
 public:
  // Starts `program` with the shared options, then `options`; it inherits `fds` by their numbers.
  DriverProgram(const std::string& program, const std::vector<std::string>& options,
                std::span<const int> fds) {
    int pair[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
      throw std::runtime_error("cannot make the capability socket");
    }
    broker_ = Fd(pair[0]);
    const Fd capability(pair[1]);
    const Fd stats = checked(::memfd_create("test-stats", MFD_CLOEXEC));
    if (::ftruncate(stats.get(), sizeof(StatsPage)) != 0) throw std::runtime_error("ftruncate");
    stats_ = std::make_unique<driver::MappedStats>(stats);
    std::vector<std::string> command = {program, "--capability", std::to_string(capability.get()),
                                        "--stats-fd", std::to_string(stats.get())};
    command.insert(command.end(), options.begin(), options.end());
    std::vector<int> inherited(fds.begin(), fds.end());
    inherited.insert(inherited.end(), {capability.get(), stats.get()});
    log_ = checked(::memfd_create("test-log", MFD_CLOEXEC));
    process_ = Process::start(
        {.arguments = std::move(command), .inherited = std::move(inherited), .output = log_.get()});
  }
  DriverProgram(const DriverProgram&) = delete;
  DriverProgram& operator=(const DriverProgram&) = delete;

  [[nodiscard]] pid_t pid() const { return process_.pid(); }
  [[nodiscard]] const DeviceStats& stats(std::uint32_t device) const {
    return stats_->page()[device];
  }
  // What it wrote to stderr so far.
  [[nodiscard]] std::string log() const {
    std::string text(static_cast<std::size_t>(::lseek(log_.get(), 0, SEEK_END)), '\0');
    const ssize_t got = ::pread(log_.get(), text.data(), text.size(), 0);
    text.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
    return text;
  }

  // The broker's side.

  void send(const Message& message, std::span<const int> fds = {}) {
    if (send_packet(broker_.get(), std::as_bytes(std::span(&message, 1)), fds) != Status::Ok) {
      throw std::runtime_error("the driver does not listen");
    }
  }
  void send(MessageType type, Handle session, Status status = Status::Ok) {
    Message message;
    message.type = type;
    message.subject = session;
    message.status = status;
    send(message);
  }
  // The next message from the driver; throws when none comes.
  Message next() {
    pollfd waiting{.fd = broker_.get(), .events = POLLIN, .revents = 0};
    Message message;
    if (::poll(&waiting, 1, kPatience) != 1) throw std::runtime_error("no message; " + log());
    const Result<Packet> packet = receive_packet(
        broker_.get(), std::as_writable_bytes(std::span(&message, 1)), kMaxPacketFds);
    if (!packet || packet->bytes != sizeof message) {
      throw std::runtime_error("the driver hung up; " + log());
    }
    return message;
  }
  Message expect(MessageType type, Handle session) {
    const Message message = next();
    if (message.type != type || !(message.subject == session)) {
      throw std::runtime_error("another message than expected; " + log());
    }
    return message;
  }

  void offer(Handle session, std::uint32_t device, const SessionParts& parts,
             std::string_view peer = "test") {
    Message message;
    message.type = MessageType::Offer;
    message.subject = session;
    message.device = device;
    message.geometry = parts.geometry;
    message.name = Name(peer);
    const int fds[] = {parts.driver.region.get(), parts.driver.kick.get(), parts.driver.call.get()};
    send(message, fds);
  }
  Handle new_session() { return {.index = 1, .generation = ++generation_}; }
  // A session of the device, all the way; `Connected` has the session, the device's info as its
  // class describes it, and a client of it.
  template <class Connected>
  Connected connect_as(std::uint32_t device, SessionParts parts) {
    using Client = typename decltype(Connected::client)::element_type;
    Connected connected{.session = new_session(), .info = {}, .client = nullptr};
    offer(connected.session, device, parts);
    const Message mapped = expect(MessageType::Mapped, connected.session);
    std::memcpy(&connected.info, mapped.info.bytes, sizeof connected.info);
    connected.client = std::make_unique<Client>(parts.geometry, std::move(parts.client));
    send(MessageType::Connected, connected.session);
    return connected;
  }

  // Waits until all that was said has been heard: an offer of nothing is refused in its turn.
  void settle() {
    const Handle nothing = new_session();
    send(MessageType::Offer, nothing);
    expect(MessageType::Refuse, nothing);
  }

  void close(Handle session) {
    send(MessageType::Closing, session, Status::Ok);
    expect(MessageType::Release, session);
    send(MessageType::Closed, session);
  }

  // Closes the capability socket and returns the exit code (or 128 + the signal).
  int hang_up() {
    broker_.reset();
    return wait();
  }
  int wait() {
    const std::optional<int> code = process_.wait(std::chrono::milliseconds(kPatience));
    if (!code) throw std::runtime_error("the driver does not end; " + log());
    return *code;
  }

  // A field of /proc/PID/status.
  [[nodiscard]] std::string status_field(const std::string& key) const {
    std::ifstream file("/proc/" + std::to_string(pid()) + "/status");
    for (std::string line; std::getline(file, line);) {
      if (line.starts_with(key + ":")) {
        line.erase(0, key.size() + 1);
        line.erase(0, line.find_first_not_of(" \t"));
        return line;
      }
    }
    return {};
  }
  [[nodiscard]] std::uint64_t cpu_nanoseconds() const {
    std::uint64_t spent = 0;
    std::ifstream("/proc/" + std::to_string(pid()) + "/schedstat") >> spent;
    return spent;
  }
  [[nodiscard]] std::size_t descriptors() const {
    const std::filesystem::directory_iterator all("/proc/" + std::to_string(pid()) + "/fd");
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
  }
  [[nodiscard]] std::size_t mappings() const {
    std::ifstream file("/proc/" + std::to_string(pid()) + "/maps");
    std::size_t count = 0;
    for (std::string line; std::getline(file, line);) ++count;
    return count;
  }

 private:
  Fd broker_;
  Fd log_;
  Process process_;
  std::unique_ptr<driver::MappedStats> stats_;
  std::uint32_t generation_ = 0;
};

}  // namespace cede::test
