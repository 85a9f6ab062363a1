// SPDX-License-Identifier: Apache-2.0
// The real cede-frontend as a child of the test, and a broker that the test plays.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <ctime>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "protocols/control.h"
#include "protocols/posix/channel.h"
#include "tests/support/bell_storm.h"
#include "tests/support/client_session.h"
#include "tests/support/session_parts.h"
#include "tests/support/temporary_directory.h"
#include "vmm/process/process.h"

namespace cede::test {

// How long a test waits before it calls something stuck: no expectation of speed.
inline constexpr std::chrono::seconds kPatience{20};

// How long a process has a processor in the second that begins a little later.
inline std::chrono::nanoseconds busy_in_a_second(const Process& process) {
  const auto used = [&] {
    clockid_t clock{};
    timespec time{};
    if (::clock_getcpuclockid(process.pid(), &clock) != 0 || ::clock_gettime(clock, &time) != 0) {
      throw std::runtime_error("the processor time is not known");
    }
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
  };
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  const auto before = used();
  std::this_thread::sleep_for(std::chrono::seconds(1));
  return used() - before;
}

// The broker's end of one client domain's capability socket.
class PlayedBroker {
 public:
  PlayedBroker() {
    int pair[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
      throw std::runtime_error("no capability socket");
    }
    socket_ = Fd(pair[0]);
    theirs_ = Fd(pair[1]);
  }

  // For the domain's program; drop it here once that has started.
  [[nodiscard]] int child_fd() const { return theirs_.get(); }
  void drop_child_fd() { theirs_.reset(); }

  void grant(std::string_view name, std::uint32_t number = 1) {
    Message message = event(MessageType::Granted, {number, ++generation_});
    message.name = Name(name);
    say(message);
  }

  // Hears the Connect and answers with fresh session parts. Give the driver's half to a backend,
  // which formats the rings, then complete().
  [[nodiscard]] SessionParts accept_connect() { return make_session_parts(hear_connect()); }
  // The same for parts that the test has: returns the geometry that is asked for.
  [[nodiscard]] Geometry hear_connect() {
    const Message connect = hear(MessageType::Connect);
    session_ = {connect.subject.index, ++generation_};
    reply(connect);
    return connect.geometry;
  }
  // `info`: of the device's class.
  template <class Info>
  void complete(SessionParts& parts, const Info& info) {
    Message offer = event(MessageType::Offer, session_);
    offer.geometry = parts.geometry;
    const int fds[] = {parts.client.region.get(), parts.client.kick.get(), parts.client.call.get()};
    say(offer, fds);
    reply(hear(MessageType::Mapped));
    constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL;
    if (::fcntl(parts.client.region.get(), F_ADD_SEALS, kSeals) != 0) {
      throw std::runtime_error("the region cannot be sealed");
    }
    parts.client = {};
    Message connected = event(MessageType::Connected, session_);
    connected.info = to_device_info(info);
    say(connected);
  }
  // The session ends; returns when the frontend has let go of it. One that was told to stop may
  // leave without waiting for our last words.
  void end_session(Status reason) {
    Message closing = event(MessageType::Closing, session_);
    closing.status = reason;
    say(closing);
    Message answer = event(MessageType::Reply, session_);
    answer.tag = hear(MessageType::Release).tag;
    Message closed = event(MessageType::Closed, session_);
    closed.status = reason;
    for (const Message& last : {answer, closed}) {
      (void)send_packet(socket_.get(), std::as_bytes(std::span(&last, 1)));
    }
  }

  // The next message, which has to be of this type.
  Message hear(MessageType type) {
    Message message;
    pollfd ready{socket_.get(), POLLIN, 0};
    const int patience = static_cast<int>(std::chrono::milliseconds(kPatience).count());
    if (::poll(&ready, 1, patience) != 1) throw std::runtime_error("the frontend says nothing");
    const auto packet =
        receive_packet(socket_.get(), std::as_writable_bytes(std::span(&message, 1)), 0);
    if (!packet || packet->bytes != sizeof message) {
      throw std::runtime_error("the frontend closed its capability socket");
    }
    if (message.type != type) {
      throw std::runtime_error("the frontend says " +
                               std::to_string(static_cast<int>(message.type)) + " instead of " +
                               std::to_string(static_cast<int>(type)));
    }
    return message;
  }
  void reply(const Message& request, Status status = Status::Ok) {
    Message message = event(MessageType::Reply, session_);
    message.tag = request.tag;
    message.status = status;
    say(message);
  }
  void close() { socket_.reset(); }

 private:
  [[nodiscard]] static Message event(MessageType type, Handle subject) {
    Message message;
    message.type = type;
    message.subject = subject;
    return message;
  }
  void say(const Message& message, std::span<const int> fds = {}) {
    if (send_packet(socket_.get(), std::as_bytes(std::span(&message, 1)), fds) != Status::Ok) {
      throw std::runtime_error("the frontend does not listen");
    }
  }

  Fd socket_;
  Fd theirs_;
  Handle session_;
  std::uint32_t generation_ = 0;
};

// Sanitizers make system calls of their own.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSandboxed = false;
#else
inline constexpr bool kSandboxed = true;
#endif

[[nodiscard]] inline bool alive(Process& process) {
  return !process.wait(std::chrono::milliseconds::zero());
}

[[nodiscard]] inline std::vector<std::string> frontend_command(
    const PlayedBroker& broker, const std::vector<std::string>& arguments) {
  // CEDE_TEST_LOG=debug shows what the frontend does.
  const char* level = std::getenv("CEDE_TEST_LOG");  // NOLINT(concurrency-mt-unsafe)
  std::vector<std::string> words = {CEDE_FRONTEND_BINARY, "--capability",
                                    std::to_string(broker.child_fd()), "--log-level",
                                    level == nullptr ? "error" : level};
  if (!kSandboxed) words.emplace_back("--no-sandbox");
  words.insert(words.end(), arguments.begin(), arguments.end());
  return words;
}

}  // namespace cede::test
