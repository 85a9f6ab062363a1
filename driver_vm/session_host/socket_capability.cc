// SPDX-License-Identifier: Apache-2.0
#include "driver_vm/session_host/socket_capability.h"

#include <optional>
#include <utility>

#include "driver_vm/session_host/revocable_region.h"
#include "protocols/posix/doorbell.h"
#include "protocols/posix/mapping.h"

namespace cede::driver {
namespace {

class SocketEnds final : public SessionEnds {
 public:
  // The descriptors of an Offer, as protocols/control.h has them.
  SocketEnds(ControlLink::Incoming& offer, Regions regions) noexcept
      : regions_(regions),
        memfd_(std::move(offer.fds[0])),
        kick_(std::move(offer.fds[1])),
        call_(std::move(offer.fds[2])) {}

  [[nodiscard]] Result<std::span<std::byte>> map(std::size_t bytes) override {
    Result<Mapping> mapping = Mapping::map(memfd_.get(), bytes);
    if (!mapping) return mapping.status();
    memfd_.reset();
    region_ = *std::move(mapping);
    const std::span mapped(region_.data(), region_.size());
    if (regions_ == Regions::Revocable) revocable_.emplace(mapped);
    return mapped;
  }
  [[nodiscard]] bool pinnable() const noexcept override { return true; }
  [[nodiscard]] bool taken_back() const noexcept override {
    return revocable_ && revocable_->taken_back();
  }
  [[nodiscard]] int kick_fd() const noexcept override { return kick_.fd(); }
  void clear_kick() noexcept override { kick_.clear(); }
  // Nobody is in between, and a full queue keeps them back by itself.
  void hold_kicks(Duration /*duration*/) noexcept override {}
  void call() noexcept override { call_.ring(); }

 private:
  Regions regions_;
  Fd memfd_;
  Mapping region_;
  std::optional<RevocableRegion> revocable_;  // goes before the mapping
  KickWaiter kick_;
  CallRinger call_;
};

}  // namespace

Result<Capability::Incoming> SocketCapability::receive() {
  flush();
  Result<ControlLink::Incoming> came = link_.receive();
  if (!came) return came.status();
  Incoming incoming{.message = came->message, .ends = nullptr};
  if (came->message.type == MessageType::Offer && came->fd_count == 3) {
    incoming.ends = std::make_unique<SocketEnds>(*came, regions_);
  }
  return incoming;
}

void SocketCapability::send(const Message& message) {
  outbox_.push_back(message);
  flush();
}

void SocketCapability::flush() {
  while (!outbox_.empty()) {
    const Result<std::uint32_t> tag = link_.send(outbox_.front());
    if (!tag && tag.status() == Status::Busy) {
      send_again_ = monotonic_now() + kMillisecond;
      return;
    }
    outbox_.pop_front();  // sent, or the broker is gone
  }
}

}  // namespace cede::driver
