// SPDX-License-Identifier: Apache-2.0
// The real cede-driver on a real image, with the broker's part of the conversation played here.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "driver_vm/session_host/stats_page.h"
#include "protocols/control.h"
#include "protocols/posix/channel.h"
#include "tests/support/session_parts.h"
#include "tests/unit/driver/test_client.h"

namespace cede::test {

// A temporary image, gone with the test.
class Image {
 public:
  Image(const std::filesystem::path& folder, std::uint64_t bytes) {
    path_ = (folder / "cede-driver-test-XXXXXX").string();
    fd_ = checked(::mkstemp(path_.data()));
    if (::ftruncate(fd_.get(), static_cast<off_t>(bytes)) != 0) {
      throw std::runtime_error("cannot size the test image");
    }
  }
  Image(const Image&) = delete;
  Image& operator=(const Image&) = delete;
  ~Image() { ::unlink(path_.c_str()); }

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] std::vector<std::byte> read(std::uint64_t offset, std::size_t length) const {
    std::vector<std::byte> bytes(length);
    if (::pread(fd_.get(), bytes.data(), length, static_cast<off_t>(offset)) !=
        static_cast<ssize_t>(length)) {
      throw std::runtime_error("cannot read the test image");
    }
    return bytes;
  }
  void write(std::uint64_t offset, std::span<const std::byte> bytes) const {
    if (::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset)) !=
        static_cast<ssize_t>(bytes.size())) {
      throw std::runtime_error("cannot write the test image");
    }
  }

 private:
  std::string path_;
  Fd fd_;
};

inline constexpr Geometry kSmall{
    .pages = 64, .rings = 1, .slot_bytes = block::kSlotBytes, .slots = 32};

class DriverProcess {
 public:
  // Exports as on the command line; a disk opened with `open_flags`.
  DriverProcess(const std::string& image, const std::vector<std::string>& exports,
                const std::vector<std::string>& options = {}, int open_flags = O_RDWR) {
    const Fd disk = checked(::open(image.c_str(), open_flags | O_CLOEXEC));
    int pair[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
      throw std::runtime_error("cannot make the capability socket");
    }
    broker_ = Fd(pair[0]);
    const Fd capability(pair[1]);
    const Fd stats = checked(::memfd_create("test-stats", MFD_CLOEXEC));
    if (::ftruncate(stats.get(), sizeof(StatsPage)) != 0) throw std::runtime_error("ftruncate");
    stats_ = std::make_unique<driver::MappedStats>(stats);
    std::vector<std::string> command = {CEDE_DRIVER_PROGRAM,
                                        "--capability",
                                        std::to_string(capability.get()),
                                        "--disk-fd",
                                        std::to_string(disk.get()),
                                        "--disk-name",
                                        "test.img",
                                        "--stats-fd",
                                        std::to_string(stats.get())};
    for (const std::string& text : exports) command.insert(command.end(), {"--export", text});
    command.insert(command.end(), options.begin(), options.end());
    std::vector<char*> arguments;
    for (std::string& word : command) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    Fd log = checked(::memfd_create("test-log", MFD_CLOEXEC));
    pid_ = ::fork();
    if (pid_ == 0) {
      for (const int fd : {capability.get(), disk.get(), stats.get()}) ::fcntl(fd, F_SETFD, 0);
      ::dup2(log.get(), STDERR_FILENO);
      ::execv(arguments[0], arguments.data());
      ::_exit(127);
    }
    log_ = std::move(log);
  }
  DriverProcess(const DriverProcess&) = delete;
  DriverProcess& operator=(const DriverProcess&) = delete;
  ~DriverProcess() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
  }

  [[nodiscard]] pid_t pid() const { return pid_; }
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

  // A session that the driver has mapped; not connected yet.
  struct Offered {
    Handle session;
    block::Info info;
    SessionParts parts;
  };
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

  struct Connected {
    Handle session;
    block::Info info;
    std::unique_ptr<TestClient> client;
  };
  Connected connect(std::uint32_t device, const Geometry& geometry = kSmall) {
    SessionParts parts = make_session_parts(geometry);
    Connected connected{.session = new_session(), .info = {}, .client = nullptr};
    offer(connected.session, device, parts);
    const Message mapped = expect(MessageType::Mapped, connected.session);
    std::memcpy(&connected.info, mapped.info.bytes, sizeof connected.info);
    connected.client = std::make_unique<TestClient>(geometry, std::move(parts.client));
    send(MessageType::Connected, connected.session);
    return connected;
  }
  void close(Handle session) {
    send(MessageType::Closing, session, Status::Ok);
    expect(MessageType::Release, session);
    send(MessageType::Closed, session);
  }

  // Closes the capability socket and returns the exit status (or minus the signal).
  int hang_up() {
    broker_.reset();
    return wait();
  }
  int wait() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

  // A field of /proc/PID/status.
  [[nodiscard]] std::string status_field(const std::string& key) const {
    std::ifstream file("/proc/" + std::to_string(pid_) + "/status");
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
    std::ifstream("/proc/" + std::to_string(pid_) + "/schedstat") >> spent;
    return spent;
  }
  [[nodiscard]] std::size_t descriptors() const {
    const std::filesystem::directory_iterator all("/proc/" + std::to_string(pid_) + "/fd");
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
  }
  [[nodiscard]] std::size_t mappings() const {
    std::ifstream file("/proc/" + std::to_string(pid_) + "/maps");
    std::size_t count = 0;
    for (std::string line; std::getline(file, line);) ++count;
    return count;
  }

 private:
  pid_t pid_ = -1;
  Fd broker_;
  Fd log_;
  std::unique_ptr<driver::MappedStats> stats_;
  std::uint32_t generation_ = 0;
};

}  // namespace cede::test
