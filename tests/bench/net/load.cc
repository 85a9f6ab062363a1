// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/net/load.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <span>
#include <system_error>
#include <thread>

#include "tests/bench/interrupt.h"

namespace cede::bench {
namespace {

using std::chrono::nanoseconds;

constexpr auto kWarmUp = std::chrono::milliseconds(200);
constexpr int kPatienceSeconds = 10;

int require(int result, const char* what) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), what);
  return result;
}

// A socket of that namespace, whose waits end after a while.
Fd make_socket(const test::NetworkNamespace& space, int type, int protocol) {
  Fd fd;
  space.run(
      [&] { fd = Fd(require(::socket(AF_INET, type | SOCK_CLOEXEC, protocol), "a socket")); });
  const timeval patience{kPatienceSeconds, 0};
  for (const int direction : {SO_RCVTIMEO, SO_SNDTIMEO}) {
    require(::setsockopt(fd.get(), SOL_SOCKET, direction, &patience, sizeof patience), "a timeout");
  }
  return fd;
}

sockaddr_in address_of(const char* text, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  ::inet_pton(AF_INET, text, &address.sin_addr);
  return address;
}

template <int (*Call)(int, const sockaddr*, socklen_t)>
void with_address(const Fd& fd, const sockaddr_in& address, const char* what) {
  require(Call(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), what);
}

constexpr std::uint16_t kPort = 7;

// Lets `count` run for a while, then for the measured stretch; the rate is of what it counts there.
template <class Count>
NetSample over_the_stretch(nanoseconds duration, Meter& meter, const Count& count) {
  std::this_thread::sleep_for(std::min<nanoseconds>(kWarmUp, duration));
  NetSample sample;
  meter.begin();
  const std::uint64_t before = count;
  std::this_thread::sleep_for(duration);
  const std::uint64_t after = count;
  meter.end(sample);
  sample.rate = static_cast<double>(after - before) / sample.seconds;
  return sample;
}

// An ICMP echo and its way back.
class Pinger {
 public:
  explicit Pinger(const Join& join)
      : fd_(make_socket(join.left(), SOCK_RAW, IPPROTO_ICMP)), to_(address_of(Join::kRight, 0)) {}

  // False: it was lost.
  bool ping(int patience_ms) {
    icmphdr echo{};
    echo.type = ICMP_ECHO;
    echo.un.echo.id = kId;
    echo.un.echo.sequence = ++sequence_;
    echo.checksum = checksum(echo);
    if (::sendto(fd_.get(), &echo, sizeof echo, 0, reinterpret_cast<const sockaddr*>(&to_),
                 sizeof to_) < 0) {
      return false;
    }
    const timeval patience{patience_ms / 1000, patience_ms % 1000 * 1000};
    (void)::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    std::array<char, 256> packet;
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(patience_ms);
    while (std::chrono::steady_clock::now() < end) {
      const ssize_t size = ::recv(fd_.get(), packet.data(), packet.size(), 0);
      if (size < 0) return false;
      icmphdr answer;
      if (static_cast<std::size_t>(size) < kIpHeader + sizeof answer) continue;
      std::memcpy(&answer, packet.data() + kIpHeader, sizeof answer);
      if (answer.type == ICMP_ECHOREPLY && answer.un.echo.id == kId &&
          answer.un.echo.sequence == sequence_) {
        return true;
      }
    }
    return false;
  }

 private:
  static constexpr std::uint16_t kId = 0xcede;
  static constexpr std::size_t kIpHeader = 20;

  static std::uint16_t checksum(const icmphdr& echo) {
    std::array<std::uint16_t, sizeof echo / 2> words;
    std::memcpy(words.data(), &echo, sizeof echo);
    std::uint32_t sum = 0;
    for (const std::uint16_t word : words) sum += word;
    sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>(~(sum + (sum >> 16)));
  }

  Fd fd_;
  sockaddr_in to_;
  std::uint16_t sequence_ = 0;
};

NetSample ping_for(const Join& join, nanoseconds duration, Meter& meter, nanoseconds pause) {
  Pinger pinger(join);
  std::vector<double> trips;
  NetSample sample;
  using Clock = std::chrono::steady_clock;
  const auto until = [&](nanoseconds stretch, bool measured) {
    const auto end = Clock::now() + stretch;
    for (auto begin = Clock::now(); begin < end; begin = Clock::now()) {
      const bool back = pinger.ping(1000);
      const std::chrono::duration<double, std::micro> took = Clock::now() - begin;
      if (measured && back) trips.push_back(took.count());
      if (measured && !back) ++sample.errors;
      if (pause.count() != 0) std::this_thread::sleep_for(pause);
    }
  };
  until(std::min<nanoseconds>(kWarmUp, duration), false);
  meter.begin();
  until(duration, true);
  meter.end(sample);
  std::sort(trips.begin(), trips.end());
  if (trips.empty()) return sample;
  sample.rate = static_cast<double>(trips.size()) / sample.seconds;
  sample.p50 = trips[trips.size() / 2];
  sample.p99 = trips[trips.size() * 99 / 100];
  return sample;
}

}  // namespace

void wait_until_joined(const Join& join) {
  Pinger pinger(join);
  for (int i = 0; i < 200; ++i) {
    if (pinger.ping(100)) return;
    throw_if_interrupted();
  }
  throw std::runtime_error("no ping comes back");
}

NetSample run_tcp(const Join& join, nanoseconds duration, Meter meter) {
  const Fd listener = make_socket(join.right(), SOCK_STREAM, 0);
  const int on = 1;
  require(::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), "an option");
  with_address<::bind>(listener, address_of(Join::kRight, kPort), "bind");
  require(::listen(listener.get(), 1), "listen");
  const Fd from = make_socket(join.left(), SOCK_STREAM, 0);
  with_address<::connect>(from, address_of(Join::kRight, kPort), "connect");
  const Fd to(require(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC), "accept"));

  std::atomic<bool> stop = false;
  std::atomic<std::uint64_t> received = 0;
  std::uint64_t sent = 0;
  std::thread sender([&] {
    const std::vector<char> bytes(128 * 1024);
    while (!stop) {
      const ssize_t size = ::send(from.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (size < 0) break;
      sent += static_cast<std::uint64_t>(size);
    }
    ::shutdown(from.get(), SHUT_WR);
  });
  std::thread receiver([&] {
    std::vector<char> bytes(256 * 1024);
    for (ssize_t size = 0; (size = ::recv(to.get(), bytes.data(), bytes.size(), 0)) > 0;) {
      received += static_cast<std::uint64_t>(size);
    }
  });
  NetSample sample = over_the_stretch(duration, meter, received);
  stop = true;
  sender.join();
  receiver.join();
  sample.rate *= 8;
  sample.errors = sent == received ? 0 : 1;
  return sample;
}

NetSample run_udp(const Join& join, nanoseconds duration, Meter meter) {
  // Ethernet 14, IP 20, UDP 8, and the frame check sequence 4.
  constexpr std::size_t kPayload = 64 - 14 - 20 - 8 - 4;
  constexpr unsigned kBatch = 64;
  const Fd to = make_socket(join.right(), SOCK_DGRAM, 0);
  const int space = 4 << 20;
  require(::setsockopt(to.get(), SOL_SOCKET, SO_RCVBUFFORCE, &space, sizeof space), "an option");
  with_address<::bind>(to, address_of(Join::kRight, kPort), "bind");
  const Fd from = make_socket(join.left(), SOCK_DGRAM, 0);
  with_address<::connect>(from, address_of(Join::kRight, kPort), "connect");

  std::atomic<bool> stop = false;
  std::atomic<std::uint64_t> received = 0;
  const auto batch = [](std::array<char, 2048>& bytes, iovec& part) {
    part = {bytes.data(), kPayload};
    std::array<mmsghdr, kBatch> messages{};
    for (mmsghdr& message : messages) {
      message.msg_hdr.msg_iov = &part;
      message.msg_hdr.msg_iovlen = 1;
    }
    return messages;
  };
  std::thread sender([&] {
    std::array<char, 2048> bytes{};
    iovec part;
    auto messages = batch(bytes, part);
    while (!stop) (void)::sendmmsg(from.get(), messages.data(), kBatch, 0);
  });
  std::thread receiver([&] {
    std::array<char, 2048> bytes{};
    iovec part;
    auto messages = batch(bytes, part);
    while (!stop) {
      const int count = ::recvmmsg(to.get(), messages.data(), kBatch, MSG_WAITFORONE, nullptr);
      if (count > 0) received += static_cast<std::uint64_t>(count);
    }
  });
  NetSample sample = over_the_stretch(duration, meter, received);
  stop = true;
  sender.join();
  // Whatever the receiver waits for.
  const Fd last = make_socket(join.right(), SOCK_DGRAM, 0);
  const sockaddr_in there = address_of(Join::kRight, kPort);
  (void)::sendto(last.get(), "", 1, 0, reinterpret_cast<const sockaddr*>(&there), sizeof there);
  receiver.join();
  sample.errors = sample.rate > 0 ? 0 : 1;
  return sample;
}

NetSample run_ping(const Join& join, nanoseconds duration, Meter meter) {
  return ping_for(join, duration, meter, nanoseconds::zero());
}
NetSample run_slow_ping(const Join& join, nanoseconds duration, Meter meter) {
  return ping_for(join, duration, meter, std::chrono::milliseconds(1));
}

}  // namespace cede::bench
