// SPDX-License-Identifier: Apache-2.0
#include "frontend/tap/tap_device.h"

#include <spdlog/spdlog.h>

#include <cerrno>
#include <chrono>
#include <system_error>
#include <utility>

#include "frontend/net/turn.h"

namespace cede::frontend {

using Outcome = TapQueue::Outcome;
using Trigger = EventLoop::Trigger;

namespace {

// What a frame costs beside its bytes: a system call, and the host's whole network stack in it.
constexpr std::uint32_t kPerFrame = 4096;
// Changes of the link in one second: each takes a lock that the whole host shares.
constexpr int kLinkChanges = 10;
constexpr auto kSecond = std::chrono::seconds(1);
// Between two looks at a TAP that is gone.
constexpr auto kRetry = std::chrono::seconds(1);

}  // namespace

TapDevice::TapDevice(EventLoop& loop, std::vector<Fd> queues, std::uint32_t slots)
    : loop_(loop),
      geometry_(net::port_geometry(static_cast<std::uint16_t>(queues.size()), slots)),
      called_(loop) {
  for (Fd& fd : queues) {
    TapQueue& queue = queues_.emplace_back(std::move(fd));
    // Edges are enough: each pass reads until nothing is left, or waits for room.
    auto watch = loop_.watch(queue.fd(), Trigger::Edge, [] {});
    if (!watch) throw std::system_error(errno, std::generic_category(), "watching a TAP");
    readable_.push_back(std::move(*watch));
  }
  queues_.front().set_carrier(false);
  // Due at once, and not worth a line: whoever made it has said that it is gone.
  for (const TapQueue& queue : queues_) {
    if (!queue.attached()) retry_at_.emplace();
  }
}

TapDevice::~TapDevice() {
  report_losses();
}

Status TapDevice::connected(std::string_view name, Session session) {
  name_ = name;
  Result<NetDevice> attached = NetDevice::attach(std::move(session));
  if (!attached || attached->pairs() != queues_.size()) return Status::Invalid;
  const Status status = called_.start(attached->wait_fd(), attached->guard(), [this] {
    if (session_) session_->clear_wakeup();
  });
  if (status != Status::Ok) return status;
  session_ = std::move(*attached);
  session_->set_offloads(queues_.front().offloads());
  session_->publish();
  queues_.front().set_offloads(session_->info().offloads);
  starved_ = false;
  follow_link(std::chrono::steady_clock::now());
  return Status::Ok;
}

void TapDevice::ending() {
  called_.stop();
  if (session_) losses_.ended(*session_);
  session_.reset();
  report_losses();
  follow_link(std::chrono::steady_clock::now());
}

bool TapDevice::broken() const noexcept {
  return session_ && session_->broken();
}

bool TapDevice::progress() {
  if (!session_) return !retry_at_ && discard();
  bool moved = false;
  starved_ = false;
  for (std::uint16_t pair = 0; pair < session_->pairs(); ++pair) {
    moved |= to_tap(pair);
    if (!retry_at_) moved |= to_session(pair);
  }
  session_->publish();
  return moved;
}

bool TapDevice::to_session(std::uint16_t pair) {
  bool moved = false;
  for (Turn turn(kPerFrame); !turn.over();) {
    const std::span<std::byte> room = session_->reserve(pair, net::kMaxFrame);
    starved_ |= room.empty();
    if (room.empty()) break;
    net::Header header;
    std::uint32_t length = 0;
    const Outcome outcome = queues_[pair].read(header, room, length);
    if (outcome == Outcome::Empty) break;
    judge(outcome);
    moved = true;
    turn.spend(length);
    if (outcome == Outcome::Done) session_->send(pair, length, header);
  }
  return moved;
}

bool TapDevice::to_tap(std::uint16_t pair) {
  bool moved = false;
  for (Turn turn(kPerFrame); !turn.over() && session_->receive(pair, frame_);) {
    // Without a TAP they are taken nevertheless: an old frame is of no use to the next one.
    judge(retry_at_ ? Outcome::Dropped : queues_[pair].write(frame_));
    turn.spend(frame_.length);
    session_->release(pair);
    moved = true;
  }
  return moved;
}

// Keeps the queues empty while there is nowhere to go.
bool TapDevice::discard() {
  bool moved = false;
  for (TapQueue& queue : queues_) {
    for (Turn turn(kPerFrame); !turn.over(); turn.spend(0)) {
      net::Header header;
      std::uint32_t length = 0;
      const Outcome outcome = queue.read(header, {}, length);
      if (outcome == Outcome::Empty) break;
      if (outcome == Outcome::Dropped) ++lost_;
      if (outcome == Outcome::Gone) judge(outcome);
      moved = true;
    }
  }
  return moved;
}

void TapDevice::judge(Outcome outcome) {
  if (outcome == Outcome::Dropped) ++dropped_;
  if (outcome == Outcome::Gone && !retry_at_) lose();
}

void TapDevice::lose() {
  retry_at_ = std::chrono::steady_clock::now() + kRetry;
  spdlog::warn("{}: the TAP is gone; looking for it every second", name_);
}

void TapDevice::probe(TimePoint now) {
  retry_at_ = now + kRetry;
  for (TapQueue& queue : queues_) {
    net::Header header;
    std::uint32_t length = 0;
    if (queue.read(header, {}, length) == Outcome::Gone) return;
  }
  retry_at_.reset();
  spdlog::info("{}: the TAP is there again", name_);
  // The new one knows nothing yet.
  if (session_) queues_.front().set_offloads(session_->info().offloads);
  queues_.front().set_carrier(link_.up);
}

bool TapDevice::arm() {
  if (!session_ || session_->broken()) return false;
  return !session_->arm(starved_);
}

void TapDevice::tick(TimePoint now) {
  called_.tick(now, name_);
  if (retry_at_ && now >= *retry_at_) probe(now);
  follow_link(now);
}

void TapDevice::report_losses() {
  losses_.log(
      name_, session_ ? &*session_ : nullptr,
      {{lost_, "without a session"}, {dropped_, "that the TAP or the session did not take"}});
}

// Its MTU is the business of whoever may set it; its name and its users are in another namespace.
void TapDevice::follow_link(TimePoint now) {
  const net::LinkState link = session_ ? session_->link() : net::LinkState{};
  link_due_.reset();
  if (link == link_) return;
  if (now - link_second_ >= kSecond) {
    link_second_ = now;
    link_changes_ = 0;
  }
  if (link_changes_ == kLinkChanges) {
    link_due_ = link_second_ + kSecond;
    return;
  }
  ++link_changes_;
  if (link.up != link_.up) queues_.front().set_carrier(link.up);
  if (session_) {
    spdlog::info("{}: the link is {}, for frames of {} bytes", name_, link.up ? "up" : "down",
                 link.mtu);
  }
  link_ = link;
}

}  // namespace cede::frontend
