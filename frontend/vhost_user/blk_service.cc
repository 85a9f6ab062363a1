// SPDX-License-Identifier: Apache-2.0
#include "frontend/vhost_user/blk_service.h"

#include <spdlog/spdlog.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <system_error>
#include <thread>
#include <utility>

#include "frontend/revocation_audit.h"

namespace cede::vhost_user {

using frontend::EventLoop;
using Trigger = EventLoop::Trigger;

namespace {

// How long a SIGTERM waits for sessions to close in good order.
constexpr auto kStopTime = std::chrono::milliseconds(500);
// Descriptors are looked at every so many passes while requests keep coming.
constexpr unsigned kPassesPerLook = 16;

std::vector<frontend::SessionClient::DeviceConfig> configure(const ServiceOptions& options) {
  std::vector<frontend::SessionClient::DeviceConfig> devices;
  for (const ServiceOptions::Device& device : options.devices) {
    const Geometry geometry{.pages = device.pages,
                            .rings = device.queues,
                            .slot_bytes = block::kSlotBytes,
                            .slots = device.slots};
    devices.push_back({device.name, geometry, options.audit_fd >= 0});
  }
  return devices;
}

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

template <class T>
T required(Result<T> result, const char* what) {
  if (!result) throw std::system_error(errno, std::generic_category(), what);
  return std::move(*result);
}

}  // namespace

BlkService::BlkService(ServiceOptions options)
    : options_(std::move(options)),
      client_(std::move(options_.capability), configure(options_), *this) {
  for (ServiceOptions::Device& device : options_.devices) {
    devices_.emplace_back().options = std::move(device);
  }
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  signals_ = Fd(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals_) throw std::system_error(errno, std::generic_category(), "signalfd");
  signalled_ = required(loop_.watch(signals_.get(), Trigger::Edge, [this] { begin_stop(); }),
                        "watching signals");
  controlled_ = required(loop_.watch(client_.fd(), Trigger::Level, [this] { service_client(); }),
                         "watching the capability socket");
}

BlkService::~BlkService() = default;

int BlkService::run() {
  Clock::time_point last_moved = Clock::now();
  for (unsigned pass = 1; !exit_status_; ++pass) {
    const bool moved = progress();
    const Clock::time_point now = Clock::now();
    if (moved) last_moved = now;
    if (pass % kPassesPerLook == 0) {
      loop_.wait(std::chrono::nanoseconds::zero());
      housekeep(now);
    } else if (!moved && now - last_moved >= idle_.polling_time()) {
      housekeep(now);
      sleep(last_moved);
    } else if (!moved) {
      // What is waited for may need this very core.
      std::this_thread::yield();
    }
  }
  return *exit_status_;
}

bool BlkService::progress() {
  bool moved = false;
  for (Device& device : devices_) {
    if (device.device) moved |= device.device->progress();
  }
  return moved;
}

void BlkService::sleep(Clock::time_point last_moved) {
  bool more = exit_status_.has_value();
  for (Device& device : devices_) {
    if (device.device) more |= device.device->arm() || breaks(device);
  }
  if (more) return;
  loop_.wait(time_to_deadline(Clock::now()));
  idle_.slept(Clock::now() - last_moved);
}

// Its driver broke the protocol, and the session has not been asked to end yet.
bool BlkService::breaks(const Device& device) noexcept {
  const frontend::BlockDevice* session = device.device->session();
  return session != nullptr && session->broken() && !device.ending;
}

// What is not a request: stops that wait, front-ends and sessions that end.
void BlkService::housekeep(Clock::time_point now) {
  if (const auto due = client_.next_deadline(); due && *due <= now) service_client();
  for (std::size_t i = 0; i < devices_.size(); ++i) {
    Device& device = devices_[i];
    if (device.endpoint) {
      device.endpoint->tick(now);
      if (device.endpoint->closed()) {
        device.endpoint.reset();
        spdlog::info("{}: the front-end is gone", device.device->name());
        serve(i);
      }
    }
    if (device.device && breaks(device)) {
      spdlog::error("{}: its driver broke the protocol", device.device->name());
      device.ending = true;
      client_.end(i, Status::Broken);
      service_client();
    }
  }
  if (stop_until_ && (client_.idle() || now >= *stop_until_)) exit_status_ = 0;
}

std::chrono::nanoseconds BlkService::time_to_deadline(Clock::time_point now) const {
  std::optional<Clock::time_point> next = client_.next_deadline();
  const auto consider = [&](std::optional<Clock::time_point> time) {
    if (time && (!next || *time < *next)) next = time;
  };
  for (const Device& device : devices_) {
    if (device.endpoint) consider(device.endpoint->deadline());
  }
  consider(stop_until_);
  if (!next) return std::chrono::nanoseconds(-1);
  return std::max(std::chrono::nanoseconds::zero(), std::chrono::nanoseconds(*next - now));
}

void BlkService::service_client() {
  const Status status = client_.service(Clock::now());
  if (status == Status::Ok || status == Status::Busy) return;
  if (status == Status::Gone) {
    spdlog::info("the broker has closed the domain");
    exit_status_ = 0;
  } else {
    spdlog::error("the capability socket fails: {}", to_string(status));
    exit_status_ = 1;
  }
}

void BlkService::begin_stop() {
  if (stop_until_) return;
  spdlog::info("stopping");
  stop_until_ = Clock::now() + kStopTime;
  client_.stop();
  service_client();
}

void BlkService::connected(std::size_t index, frontend::Session session) {
  Device& device = devices_[index];
  device.ending = false;
  if (options_.audit_fd >= 0 && !device.audited) audit(index, session);
  session.region_fd.reset();
  Result<frontend::BlockDevice> attached = frontend::BlockDevice::attach(std::move(session));
  if (!attached) {
    spdlog::error("{}: the driver's description of the volume makes no sense", client_.name(index));
    client_.end(index, Status::Invalid);
    return;
  }
  auto watch = loop_.watch(attached->wait_fd(), Trigger::Level, [&device] {
    if (device.device->session() != nullptr) device.device->session()->clear_wakeup();
  });
  if (watch) device.called = std::move(*watch);
  const block::Info& info = attached->info();
  spdlog::info("{}: connected, {} sectors", client_.name(index), info.sectors);
  if (!device.device) {
    device.device = std::make_unique<BlkDevice>(std::string(client_.name(index)), info,
                                                device.options.queues, options_.read_only);
  }
  device.device->connect(std::move(*attached));
  if (!device.endpoint) serve(index);
}

void BlkService::ending(std::size_t index, Status reason) {
  Device& device = devices_[index];
  spdlog::info("{}: the session ends: {}", client_.name(index), to_string(reason));
  device.called.reset();
  if (device.device) device.device->disconnect();
  client_.released(index, Clock::now());
}

void BlkService::failed(std::size_t index, Status reason) {
  spdlog::info("{}: no session: {}", client_.name(index), to_string(reason));
}

void BlkService::audit(std::size_t index, frontend::Session& session) {
  devices_[index].audited = true;
  const auto result = frontend::audit_revocation(session);
  if (!result) {
    spdlog::error("{}: no audit: {}", client_.name(index), to_string(result.status()));
    return;
  }
  const std::string line = frontend::to_json_line(client_.name(index), *result);
  if (::write(options_.audit_fd, line.data(), line.size()) < 0) {
    spdlog::error("{}: the audit cannot be written: {}", client_.name(index),
                  std::system_category().message(errno));
  }
}

// Waits for a front-end, where none is connected.
void BlkService::serve(std::size_t index) {
  Device& device = devices_[index];
  const int socket = device.options.socket.get();
  if (socket < 0) {
    // It was a connected one, and its front-end has gone.
    begin_stop();
    return;
  }
  if (is_connected(socket)) {
    device.endpoint =
        std::make_unique<BlkEndpoint>(*device.device, loop_, std::move(device.options.socket));
    return;
  }
  if (!is_listening(socket) && ::listen(socket, 4) != 0) {
    spdlog::error("{}: cannot listen: {}", device.device->name(),
                  std::system_category().message(errno));
    exit_status_ = 1;
    return;
  }
  auto watch = loop_.watch(socket, Trigger::Level, [this, index] { accept(index); });
  if (watch) device.connecting = std::move(*watch);
}

void BlkService::accept(std::size_t index) {
  Device& device = devices_[index];
  Fd socket(::accept4(device.options.socket.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!socket) return;
  device.connecting.reset();
  spdlog::info("{}: a front-end is connected", device.device->name());
  device.endpoint = std::make_unique<BlkEndpoint>(*device.device, loop_, std::move(socket));
}

}  // namespace cede::vhost_user
