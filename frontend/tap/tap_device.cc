// SPDX-License-Identifier: Apache-2.0
#include "frontend/tap/tap_device.h"

#include <spdlog/spdlog.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace cede::frontend {

using Outcome = TapQueue::Outcome;
using Trigger = EventLoop::Trigger;

namespace {

// Frames of one queue and direction in one pass.
constexpr int kBatch = 64;
// Bytes after which the driver may begin with what it has, though the pass goes on.
constexpr std::uint32_t kHandful = 256 * 1024;

}  // namespace

TapDevice::TapDevice(EventLoop& loop, std::vector<Fd> queues, std::uint32_t slots)
    : loop_(loop), geometry_(net::port_geometry(static_cast<std::uint16_t>(queues.size()), slots)) {
  for (Fd& fd : queues) {
    TapQueue& queue = queues_.emplace_back(std::move(fd));
    // Edges are enough: each pass reads until nothing is left, or waits for room.
    auto watch = loop_.watch(queue.fd(), Trigger::Edge, [] {});
    if (!watch) throw std::system_error(errno, std::generic_category(), "watching a TAP");
    readable_.push_back(std::move(*watch));
  }
  queues_.front().set_carrier(false);
}

TapDevice::~TapDevice() = default;

Status TapDevice::connected(std::string_view name, Session session) {
  name_ = name;
  Result<NetDevice> attached = NetDevice::attach(std::move(session));
  if (!attached || attached->pairs() != queues_.size()) return Status::Invalid;
  auto watch = loop_.watch(attached->wait_fd(), Trigger::Level, [this] {
    if (session_) session_->clear_wakeup();
  });
  if (!watch) return watch.status();
  called_ = std::move(*watch);
  session_ = std::move(*attached);
  session_->set_offloads(net::Offload::kAll);
  session_->publish();
  queues_.front().set_offloads(session_->info().offloads);
  starved_ = false;
  follow_link();
  return Status::Ok;
}

void TapDevice::ending() {
  called_.reset();
  session_.reset();
  follow_link();
}

bool TapDevice::broken() const noexcept {
  return session_ && session_->broken();
}

bool TapDevice::progress() {
  if (gone_) return false;
  if (!session_) return discard();
  bool moved = false;
  starved_ = false;
  for (std::uint16_t pair = 0; pair < session_->pairs(); ++pair) {
    moved |= to_tap(pair);
    moved |= to_session(pair);
  }
  session_->publish();
  return moved;
}

bool TapDevice::to_session(std::uint16_t pair) {
  bool moved = false;
  std::uint32_t unpublished = 0;
  for (int i = 0; i < kBatch; ++i) {
    const std::span<std::byte> room = session_->reserve(pair, net::kMaxFrame);
    starved_ |= room.empty();
    if (room.empty()) break;
    net::Header header;
    std::uint32_t length = 0;
    const Outcome outcome = queues_[pair].read(header, room, length);
    if (outcome == Outcome::Empty) break;
    judge(outcome);
    moved = true;
    if (outcome != Outcome::Done) continue;
    session_->send(pair, length, header);
    unpublished += length;
    if (unpublished >= kHandful) {
      session_->publish();
      unpublished = 0;
    }
  }
  return moved;
}

bool TapDevice::to_tap(std::uint16_t pair) {
  bool moved = false;
  std::uint32_t unpublished = 0;
  for (int i = 0; i < kBatch && session_->receive(pair, frame_); ++i) {
    judge(queues_[pair].write(frame_));
    session_->release(pair);
    moved = true;
    unpublished += frame_.length;
    if (unpublished >= kHandful) {
      session_->publish();
      unpublished = 0;
    }
  }
  return moved;
}

// Keeps the queues empty while there is nowhere to go.
bool TapDevice::discard() {
  bool moved = false;
  for (TapQueue& queue : queues_) {
    for (int i = 0; i < kBatch; ++i) {
      net::Header header;
      std::uint32_t length = 0;
      const Outcome outcome = queue.read(header, {}, length);
      if (outcome == Outcome::Empty) break;
      judge(outcome);
      moved = true;
    }
  }
  return moved;
}

void TapDevice::judge(Outcome outcome) {
  if (outcome == Outcome::Dropped) ++dropped_;
  if (outcome != Outcome::Gone || gone_) return;
  gone_ = true;
  spdlog::error("{}: the TAP is gone", name_);
}

bool TapDevice::arm() {
  if (gone_ || !session_ || session_->broken()) return false;
  return !session_->arm(starved_);
}

void TapDevice::tick(TimePoint) {
  follow_link();
}

std::optional<ClientDevice::TimePoint> TapDevice::deadline() const noexcept {
  return std::nullopt;
}

ClientDevice::State TapDevice::state() const noexcept {
  return gone_ ? State::Failed : State::Serving;
}

// Its MTU is the business of whoever may set it; its name and its users are in another namespace.
void TapDevice::follow_link() {
  const net::LinkState link = session_ ? session_->link() : net::LinkState{};
  if (link == link_) return;
  if (link.up != link_.up) queues_.front().set_carrier(link.up);
  if (session_) {
    spdlog::info("{}: the link is {}, for frames of {} bytes", name_, link.up ? "up" : "down",
                 link.mtu);
  }
  link_ = link;
}

}  // namespace cede::frontend
