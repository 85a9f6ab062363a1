// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/blk/frontend_target.h"

#include <fmt/format.h>
#include <poll.h>

#include <chrono>

namespace cede::bench {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds kPatience{10};
constexpr int kLookMs = 5;  // retries of the client's are due without any message

void wait_readable(int fd, int milliseconds) {
  pollfd waiting{fd, POLLIN, 0};
  (void)::poll(&waiting, 1, milliseconds);
}

}  // namespace

FrontendTarget::FrontendTarget(Fd capability, const Geometry& geometry)
    : client_(std::move(capability), {{.name = "", .geometry = geometry}}, *this) {}

void FrontendTarget::connect() {
  const auto deadline = Clock::now() + kPatience;
  for (converse(); !connected(); converse()) {
    throw_if_interrupted();
    wait_readable(control_fd(), kLookMs);
    if (Clock::now() > deadline) {
      throw std::runtime_error(fmt::format("no session within {} s; last failure: {}",
                                           kPatience.count(), to_string(last_failure_)));
    }
  }
}

FrontendTarget::~FrontendTarget() {
  client_.stop();
  const auto deadline = Clock::now() + kPatience;
  while (client_.service(Clock::now()) == Status::Ok && !client_.idle() &&
         Clock::now() < deadline) {
    wait_readable(control_fd(), kLookMs);
  }
}

void FrontendTarget::converse() {
  if (const Status status = client_.service(Clock::now()); status != Status::Ok) {
    throw std::runtime_error(
        fmt::format("the broker ended the conversation: {}", to_string(status)));
  }
}

void FrontendTarget::connected(std::size_t /*device*/, frontend::Session session) {
  Result<frontend::BlockDevice> device = frontend::BlockDevice::attach(std::move(session));
  if (!device) throw std::runtime_error("the driver's description of its device makes no sense");
  device_.emplace(*std::move(device));
}

void FrontendTarget::ending(std::size_t device, Status reason) {
  last_failure_ = reason;
  device_.reset();
  client_.released(device, Clock::now());
}

void FrontendTarget::prepare(std::uint32_t depth, std::uint32_t bytes) {
  for (const frontend::Extent& extent : extents_) device_->release(extent);
  extents_.clear();
  for (std::uint32_t slot = 0; slot < depth; ++slot) {
    const std::optional<frontend::Extent> extent = device_->allocate(bytes);
    if (!extent) throw std::runtime_error("the session has no room for the payload");
    extents_.push_back(*extent);
  }
}

void FrontendTarget::submit(std::uint32_t slot, bool write, std::uint64_t sector) {
  using Kind = frontend::Operation::Kind;
  const Status status = device_->submit({.kind = write ? Kind::Write : Kind::Read,
                                         .sector = sector,
                                         .payload = extents_[slot],
                                         .cookie = slot});
  if (status != Status::Ok) {
    throw std::runtime_error(
        fmt::format("the library does not take a request: {}", to_string(status)));
  }
}

std::size_t FrontendTarget::poll(std::span<Done> out) {
  std::array<frontend::Completion, kMaxDepth> finished;
  const std::size_t count = device_->poll(std::span(finished).first(out.size()));
  for (std::size_t i = 0; i < count; ++i) {
    out[i] = {static_cast<std::uint32_t>(finished[i].cookie),
              finished[i].status == VIRTIO_BLK_S_OK};
  }
  if (device_->broken()) throw std::runtime_error("the driver broke the protocol");
  return count;
}

void FrontendTarget::wait(int milliseconds) {
  if (!device_->arm()) return;
  wait_readable(device_->wait_fd(), milliseconds);
  device_->clear_wakeup();
}

}  // namespace cede::bench
