// SPDX-License-Identifier: Apache-2.0
#include "frontend/vhost_user/port.h"

#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace cede::vhost_user {

using Trigger = frontend::EventLoop::Trigger;

namespace {

bool is_listening(int socket) noexcept {
  int value = 0;
  socklen_t length = sizeof value;
  return ::getsockopt(socket, SOL_SOCKET, SO_ACCEPTCONN, &value, &length) == 0 && value != 0;
}

bool is_connected(int socket) noexcept {
  sockaddr_storage peer{};
  socklen_t length = sizeof peer;
  return ::getpeername(socket, reinterpret_cast<sockaddr*>(&peer), &length) == 0;
}

}  // namespace

Port::Port(frontend::EventLoop& loop, std::unique_ptr<VirtioDevice> device, Fd socket)
    : loop_(loop), device_(std::move(device)), socket_(std::move(socket)), called_(loop) {}

Status Port::connected(std::string_view name, frontend::Session session) {
  device_->set_name(name);
  const Status status = device_->connect(std::move(session));
  if (status != Status::Ok) return status;
  (void)called_.start(device_->wait_fd(), device_->guard(), [this] { device_->clear_wakeup(); });
  if (!endpoint_) serve();
  return Status::Ok;
}

void Port::ending() {
  called_.stop();
  device_->disconnect();
}

void Port::tick(TimePoint now) {
  called_.tick(now, device_->name());
  if (!endpoint_) return;
  endpoint_->tick(now);
  if (!endpoint_->closed()) return;
  endpoint_.reset();
  spdlog::info("{}: the front-end is gone", device_->name());
  device_->left();
  serve();
}

std::optional<Port::TimePoint> Port::deadline() const noexcept {
  return earliest({called_.deadline(), endpoint_ ? endpoint_->deadline() : std::nullopt});
}

// Waits for a front-end.
void Port::serve() {
  if (!socket_) {
    // It was a connected one, and its front-end has gone.
    state_ = State::Finished;
    return;
  }
  if (is_connected(socket_.get())) {
    endpoint_.emplace(*device_, loop_, std::move(socket_));
    return;
  }
  if (!is_listening(socket_.get()) && ::listen(socket_.get(), 4) != 0) {
    spdlog::error("{}: cannot listen: {}", device_->name(), std::system_category().message(errno));
    state_ = State::Failed;
    return;
  }
  auto watch = loop_.watch(socket_.get(), Trigger::Level, [this] { accept(); });
  if (watch) connecting_ = std::move(*watch);
}

void Port::accept() {
  Fd connection(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!connection) return;
  connecting_.reset();
  spdlog::info("{}: a front-end is connected", device_->name());
  endpoint_.emplace(*device_, loop_, std::move(connection));
}

}  // namespace cede::vhost_user
