// SPDX-License-Identifier: Apache-2.0
// A virtio device with its socket: what cede-frontend serves one of.
//
// The socket is listened on from the moment the device's properties are known, which is when its
// first session is connected, and not before: QEMU 7.2 never recovers from a back-end that accepts
// a connection it cannot serve. Sessions may come and go after that. One front-end at a time; a
// second one waits in the socket's backlog.
#pragma once

#include <memory>
#include <optional>

#include "frontend/call_watch.h"
#include "frontend/client_device.h"
#include "frontend/event_loop.h"
#include "frontend/vhost_user/endpoint.h"
#include "frontend/vhost_user/virtio_device.h"
#include "protocols/posix/fd.h"

namespace cede::vhost_user {

class Port : public frontend::ClientDevice {
 public:
  // `socket`: bound or listening, and front-ends connect to it; or connected, and it is the one
  // front-end. `loop` outlives the port.
  Port(frontend::EventLoop& loop, std::unique_ptr<VirtioDevice> device, Fd socket);

  [[nodiscard]] Geometry geometry() const noexcept override { return device_->geometry(); }
  [[nodiscard]] Status connected(std::string_view name, frontend::Session session) override;
  void ending() override;
  [[nodiscard]] bool broken() const noexcept override { return device_->broken(); }
  bool progress() override { return device_->progress(); }
  [[nodiscard]] bool arm() override { return device_->arm(); }
  void tick(TimePoint now) override;
  [[nodiscard]] std::optional<TimePoint> deadline() const noexcept override;
  [[nodiscard]] State state() const noexcept override { return state_; }

 private:
  void serve();
  void accept();

  frontend::EventLoop& loop_;
  std::unique_ptr<VirtioDevice> device_;
  Fd socket_;
  frontend::EventLoop::Watch connecting_;  // on socket_
  frontend::CallWatch called_;             // on the session's call
  std::optional<Endpoint> endpoint_;       // while a front-end is connected
  State state_ = State::Serving;
};

}  // namespace cede::vhost_user
