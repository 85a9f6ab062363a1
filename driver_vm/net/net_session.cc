// SPDX-License-Identifier: Apache-2.0
#include "driver_vm/net/net_session.h"

#include <algorithm>

#include "driver_vm/net/net_service.h"

namespace cede::driver {

NetSession::NetSession(NetService& service, std::uint16_t port, HostedSession& host,
                       net::LinkState link)
    : service_(service),
      port_(port),
      host_(host),
      control_(host.memory() + host.geometry().ring_offset(net::kControlRing),
               host.geometry().ring_shape(), host.guard()),
      link_(link) {
  const Geometry& geometry = host.geometry();
  for (std::uint16_t pair = 0; pair < geometry.rings / 2; ++pair) {
    transmit_.emplace_back(host.memory(), geometry, net::transmit_ring(pair), host.guard());
    receive_.emplace_back(host.memory(), geometry, net::receive_ring(pair), host.guard());
  }
}

NetSession::~NetSession() {
  service_.forget(*this);
}

bool NetSession::ready() noexcept {
  return serving_ &&
         std::ranges::any_of(transmit_, [](TransmitQueue& queue) { return queue.ready(); });
}

TransmitQueue* NetSession::next_transmit() noexcept {
  if (!serving_) return nullptr;
  for (std::size_t tried = 0; tried < transmit_.size(); ++tried) {
    TransmitQueue& queue = transmit_[next_];
    next_ = next_ + 1 == transmit_.size() ? 0 : next_ + 1;
    if (queue.ready()) return &queue;
  }
  return nullptr;
}

bool NetSession::control() noexcept {
  if (!serving_) return false;
  net::Control request;
  for (int taken = 0; taken < 16; ++taken) {
    switch (control_.take(request)) {
      case Verdict::Empty:
        return taken != 0;
      case Verdict::Broken:
        reject("a control producer that cannot be right");
        return true;
      case Verdict::Ready:
        run(request);
    }
  }
  return true;
}

void NetSession::run(const net::Control& request) noexcept {
  using net::Controlled;
  using net::Offload;
  switch (request.type) {
    case net::Control::Type::SetOffloads: {
      const std::uint64_t value = request.value;
      const bool segments = (value & ~std::uint64_t{Offload::kChecksum}) != 0;
      if ((value & ~std::uint64_t{Offload::kAll}) != 0 ||
          (segments && (value & Offload::kChecksum) == 0)) {
        return answer(request.id, Controlled::kRefused);
      }
      offloads_ = static_cast<std::uint32_t>(value);
      return answer(request.id, Controlled::kOk, value);
    }
    case net::Control::Type::AwaitLink:
      if (awaited_) return answer(request.id, Controlled::kRefused);
      if (request.value != link_.value()) {
        return answer(request.id, Controlled::kOk, link_.value());
      }
      awaited_ = {.id = request.id, .known = request.value};
      return;
  }
  answer(request.id, Controlled::kUnsupported);
}

void NetSession::set_link(net::LinkState link) noexcept {
  link_ = link;
  if (!awaited_ || awaited_->known == link.value()) return;
  answer(awaited_->id, net::Controlled::kOk, link.value());
  awaited_.reset();
}

void NetSession::answer(std::uint32_t id, std::uint32_t status, std::uint64_t value) noexcept {
  control_.put({.id = id, .status = status, .value = value});
  unpublished_ = true;
}

void NetSession::publish_frames() noexcept {
  if (!unpublished_) return;
  for (ReceiveQueue& queue : receive_) call_ = queue.publish() || call_;
}

bool NetSession::publish() noexcept {
  if (!unpublished_) return false;
  unpublished_ = false;
  call_ = control_.publish() || call_;
  for (TransmitQueue& queue : transmit_) call_ = queue.publish() || call_;
  if (call_) host_.call();
  call_ = false;
  return true;
}

bool NetSession::arm() noexcept {
  if (!serving_) return true;
  bool quiet = control_.arm() == Verdict::Empty;
  for (TransmitQueue& queue : transmit_) quiet = queue.arm() && quiet;
  return quiet;
}

}  // namespace cede::driver
