// SPDX-License-Identifier: Apache-2.0
#include "vmm/qemu/shim/shim.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "vmm/qemu/session_ports.h"

namespace cede::qemu {
namespace {

using std::chrono::milliseconds;
using Nanoseconds = DoorbellBridge::Nanoseconds;

// Until a log line says what is late: well before the broker's deadlines act.
constexpr milliseconds kPlugTimeout{4'000};
constexpr milliseconds kUnplugTimeout{4'000};
constexpr milliseconds kUnplugAgain{10};
constexpr Nanoseconds kMillisecond = 1'000'000;
constexpr int kMessagesPerTurn = 64;
constexpr std::size_t kMaxToBroker = 1024;
constexpr std::string_view kDevice = "session";  // and the port's number: QEMU's id of a region

Nanoseconds now() {
  return static_cast<Nanoseconds>(
      std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count());
}

std::string device_at(unsigned port) {
  return fmt::format("{}{}", kDevice, port);
}

unsigned port_of(std::string_view device) {
  device.remove_prefix(kDevice.size());
  unsigned port = 0;
  (void)std::from_chars(device.data(), device.data() + device.size(), port);
  return port;
}

}  // namespace

Shim::Shim(ShimParts parts)
    : set_(::epoll_create1(EPOLL_CLOEXEC)),
      stop_(std::move(parts.stop)),
      ready_(std::move(parts.ready)),
      broker_(std::move(parts.capability)),
      bells_(std::move(parts.bells)),
      plug_(std::move(parts.monitor)),
      guest_(std::move(parts.sessions)),
      sessions_(static_cast<unsigned>(bells_.interrupts.size()), *this),
      bridges_(bells_.interrupts.size()),
      unplug_again_(bells_.interrupts.size()) {
  const bool watched = set_ && watch(stop_.get(), kStop) && watch(broker_.fd(), kBroker) &&
                       watch(bells_.server.fd(), kBells) && watch(plug_.fd(), kMonitor) &&
                       watch(guest_.fd(), kGuest);
  if (!watched) throw std::runtime_error("cannot watch the descriptors that were inherited");
}

int Shim::run() {
  while (!exit_status_) {
    std::array<epoll_event, kEventsPerTurn> events{};
    const int count = ::epoll_wait(set_.get(), events.data(), kEventsPerTurn, until_due());
    for (int i = 0; i < count && !exit_status_; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      happened(event.data.u32, event.events);
    }
    if (!exit_status_) look_at_clock();
  }
  return *exit_status_;
}

void Shim::happened(std::uint32_t source, std::uint32_t events) {
  switch (source) {
    case kStop:
      end(0, "told to stop");
      break;
    case kBroker:
      if ((events & EPOLLOUT) != 0) flush_to_broker();
      if ((events & ~EPOLLOUT) != 0) hear_broker();
      break;
    case kBells:
      end(1, "QEMU has ended: its bells are closed");
      break;
    case kMonitor:
      turn_plug();
      break;
    case kGuest:
      if ((events & EPOLLOUT) != 0) heard_of_guest(guest_.flush());
      if ((events & ~EPOLLOUT) != 0) hear_guest();
      break;
    default:
      // Its session may have ended since, in this very turn.
      if (std::optional<DoorbellBridge>& bridge = bridges_[source - kBridges]) bridge->turn(now());
      break;
  }
}

void Shim::hear_broker() {
  for (int i = 0; i < kMessagesPerTurn && !exit_status_; ++i) {
    Result<ControlLink::Incoming> incoming = broker_.receive();
    if (incoming) {
      sessions_.from_broker(*std::move(incoming));
    } else if (incoming.status() == Status::Gone) {
      return end(0, "the broker has closed the capability socket");
    } else if (incoming.status() == Status::Busy) {
      return;
    } else {
      return end(1, fmt::format("capability socket: {}", to_string(incoming.status())));
    }
  }
}

void Shim::hear_guest() {
  for (int i = 0; i < kMessagesPerTurn && !exit_status_; ++i) {
    const Result<VmPacket> packet = guest_.receive();
    if (!packet) return heard_of_guest(packet.status());
    if (sessions_.from_guest(*packet) != Status::Ok) {
      return end(1, "the guest is given up: it says too much that it may not say");
    }
  }
}

void Shim::heard_of_guest(Status status) {
  switch (status) {
    case Status::Ok:
    case Status::Busy:
      return want_room(guest_.fd(), kGuest, guest_.waiting());
    case Status::Gone:
      return end(1, "QEMU has ended: the guest's port is closed");
    case Status::Full:
      return end(1, "the guest is given up: it does not read");
    case Status::Broken:
      return end(1, "the guest is given up: what it says is no packet of this version");
    default:
      return end(1, fmt::format("the guest's port: {}", to_string(status)));
  }
}

void Shim::turn_plug() {
  const Status status = plug_.turn();
  while (const std::optional<PlugOutcome> outcome = plug_.next_outcome()) {
    const auto tell = outcome->kind == PlugOutcome::Kind::Plugged ? &SessionTable::plugged
                                                                  : &SessionTable::unplugged;
    (sessions_.*tell)(port_of(outcome->name), outcome->status, outcome->problem);
  }
  if (status == Status::Ok) return;
  end(1, status == Status::Gone ? "QEMU has ended: its monitor is closed"
                                : fmt::format("QEMU's monitor: {}", to_string(status)));
}

// ---- The clock

int Shim::until_due() const {
  milliseconds due = plug_.until_due();
  const bool again =
      std::find(unplug_again_.begin(), unplug_again_.end(), true) != unplug_again_.end();
  if (again) due = std::min(due, kUnplugAgain);
  Nanoseconds bell = DoorbellBridge::kNever;
  for (const std::optional<DoorbellBridge>& bridge : bridges_) {
    if (bridge) bell = std::min(bell, bridge->deadline());
  }
  if (bell != DoorbellBridge::kNever) {
    const Nanoseconds time = now();
    const Nanoseconds left = bell > time ? bell - time : 0;
    const Nanoseconds rounded_up = left / kMillisecond + (left % kMillisecond != 0 ? 1 : 0);
    due = std::min(due, milliseconds(rounded_up));
  }
  return static_cast<int>(due.count());
}

void Shim::look_at_clock() {
  if (plug_.until_due() == milliseconds::zero()) turn_plug();
  for (unsigned port = 0; port < unplug_again_.size(); ++port) {
    if (unplug_again_[port]) unplug(port);
  }
  for (std::optional<DoorbellBridge>& bridge : bridges_) {
    if (!bridge || bridge->deadline() == DoorbellBridge::kNever) continue;
    if (const Nanoseconds time = now(); time >= bridge->deadline()) bridge->turn(time);
  }
}

// ---- What the table asks for

Status Shim::plug(unsigned port, const Fd& region) {
  return plug_.plug({.name = device_at(port), .bus = session_port(port)}, region.get(),
                    kPlugTimeout);
}

void Shim::unplug(unsigned port) {
  // Anything but Busy: its outcome comes, or that of what is under way, or turn() tells of the end.
  unplug_again_[port] = plug_.unplug(device_at(port), kUnplugTimeout) == Status::Busy;
}

Status Shim::open_bells(unsigned port, Fd kick, Fd call) {
  Result<DoorbellBridge> bridge =
      DoorbellBridge::make(KickWaiter(std::move(kick)), CallRinger(std::move(call)),
                           bells_.interrupts[port], bells_.doorbells[port]);
  if (!bridge) return bridge.status();
  if (!watch(bridge->fd(), kBridges + port)) return Status::IoError;
  bridges_[port] = *std::move(bridge);
  return Status::Ok;
}

void Shim::close_bells(unsigned port) {
  bridges_[port].reset();
}

void Shim::hold_kicks(unsigned port, std::chrono::microseconds time) {
  const auto held = std::chrono::nanoseconds(time).count();
  if (bridges_[port]) bridges_[port]->hold_kicks(now() + static_cast<Nanoseconds>(held));
}

void Shim::guest_is_ready() {
  spdlog::info("the driver in the guest is ready");
  const char byte = 1;
  if (ready_ && ::write(ready_.get(), &byte, sizeof byte) < 0) {
    spdlog::warn("--ready-fd: nobody is there to be told");
  }
  ready_.reset();
}

void Shim::tell_guest(unsigned port, const Message& message) {
  VmPacket packet{.kind = VmPacket::Kind::Control, .port = port, .message = message};
  packet.message.tag = 0;
  heard_of_guest(guest_.send(packet));
}

void Shim::tell_broker(const Message& message) {
  if (to_broker_.size() == kMaxToBroker) return end(1, "the broker does not read");
  to_broker_.push_back(message);
  flush_to_broker();
}

void Shim::flush_to_broker() {
  while (!to_broker_.empty()) {
    // Gone: receive() will find that, too, and what it has to say comes first.
    const Result<std::uint32_t> tag = broker_.send(to_broker_.front());
    if (!tag && tag.status() == Status::Busy) break;
    to_broker_.pop_front();
  }
  want_room(broker_.fd(), kBroker, !to_broker_.empty());
}

// ---- The set, and the end

bool Shim::watch(int fd, std::uint32_t source) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u32 = source;
  return ::epoll_ctl(set_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

void Shim::want_room(int fd, Source source, bool wanted) {
  if (std::exchange(room_wanted_[source], wanted) == wanted) return;
  epoll_event event{};
  event.events = wanted ? EPOLLIN | EPOLLOUT : EPOLLIN;
  event.data.u32 = source;
  (void)::epoll_ctl(set_.get(), EPOLL_CTL_MOD, fd, &event);
}

void Shim::end(int status, std::string_view reason) {
  if (exit_status_) return;
  exit_status_ = status;
  if (status == 0) {
    spdlog::info("the end: {}", reason);
  } else {
    spdlog::error("{}", reason);
  }
}

}  // namespace cede::qemu
