// SPDX-License-Identifier: Apache-2.0
#include "frontend/service.h"

#include <spdlog/spdlog.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <system_error>
#include <thread>
#include <utility>

#include "frontend/revocation_audit.h"

namespace cede::frontend {

using Trigger = EventLoop::Trigger;

namespace {

// How long a SIGTERM waits for sessions to close in good order.
constexpr auto kStopTime = std::chrono::milliseconds(500);
// Descriptors are looked at every so many passes while things keep moving.
constexpr unsigned kPassesPerLook = 16;

std::vector<SessionClient::DeviceConfig> configure(const ServiceOptions& options) {
  std::vector<SessionClient::DeviceConfig> devices;
  for (const ServiceOptions::Device& device : options.devices) {
    devices.push_back({device.name, device.device->geometry(), options.audit_fd >= 0});
  }
  return devices;
}

EventLoop::Watch required(Result<EventLoop::Watch> watch, const char* what) {
  if (!watch) throw std::system_error(errno, std::generic_category(), what);
  return std::move(*watch);
}

}  // namespace

Service::Service(EventLoop& loop, ServiceOptions options)
    : loop_(loop),
      audit_fd_(options.audit_fd),
      client_(std::move(options.capability), configure(options), *this) {
  for (ServiceOptions::Device& device : options.devices) {
    devices_.push_back({.device = std::move(device.device)});
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

Service::~Service() = default;

int Service::run() {
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
      idle_.yielded(Clock::now() - now);
    }
  }
  return *exit_status_;
}

bool Service::progress() {
  bool moved = false;
  for (Device& device : devices_) moved |= device.device->progress();
  return moved;
}

void Service::sleep(Clock::time_point last_moved) {
  bool more = exit_status_.has_value();
  for (Device& device : devices_) more |= device.device->arm() || breaks(device);
  if (more) return;
  loop_.wait(time_to_deadline(Clock::now()));
  idle_.slept(Clock::now() - last_moved);
}

// Its driver broke the protocol, and the session has not been asked to end yet.
bool Service::breaks(const Device& device) noexcept {
  return device.device->broken() && !device.ending;
}

// What moves no data: stops that wait, users and sessions that end.
void Service::housekeep(Clock::time_point now) {
  if (const auto due = client_.next_deadline(); due && *due <= now) service_client();
  for (std::size_t i = 0; i < devices_.size(); ++i) {
    Device& device = devices_[i];
    device.device->tick(now);
    switch (device.device->state()) {
      case ClientDevice::State::Serving:
        break;
      case ClientDevice::State::Finished:
        begin_stop();
        break;
      case ClientDevice::State::Failed:
        exit_status_ = 1;
        break;
    }
    if (breaks(device)) {
      spdlog::error("{}: its driver broke the protocol", client_.name(i));
      device.ending = true;
      client_.end(i, Status::Broken);
      service_client();
    }
  }
  if (stop_until_ && (client_.idle() || now >= *stop_until_))
    exit_status_ = exit_status_.value_or(0);
}

std::chrono::nanoseconds Service::time_to_deadline(Clock::time_point now) const {
  std::optional<Clock::time_point> next = client_.next_deadline();
  const auto consider = [&](std::optional<Clock::time_point> time) {
    if (time && (!next || *time < *next)) next = time;
  };
  for (const Device& device : devices_) consider(device.device->deadline());
  consider(stop_until_);
  if (!next) return std::chrono::nanoseconds(-1);
  return std::max(std::chrono::nanoseconds::zero(), std::chrono::nanoseconds(*next - now));
}

void Service::service_client() {
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

void Service::begin_stop() {
  if (stop_until_) return;
  spdlog::info("stopping");
  stop_until_ = Clock::now() + kStopTime;
  client_.stop();
  service_client();
}

void Service::connected(std::size_t index, Session session) {
  Device& device = devices_[index];
  device.ending = false;
  if (audit_fd_ >= 0 && !device.audited) audit(index, session);
  session.region_fd.reset();
  const Status status = device.device->connected(client_.name(index), std::move(session));
  if (status != Status::Ok) {
    spdlog::error("{}: the driver's description of the device makes no sense", client_.name(index));
    client_.end(index, status);
  }
}

void Service::ending(std::size_t index, Status reason) {
  spdlog::info("{}: the session ends: {}", client_.name(index), to_string(reason));
  devices_[index].device->ending();
  client_.released(index, Clock::now());
}

void Service::failed(std::size_t index, Status reason) {
  spdlog::info("{}: no session: {}", client_.name(index), to_string(reason));
}

void Service::audit(std::size_t index, Session& session) {
  devices_[index].audited = true;
  const auto result = audit_revocation(session);
  if (!result) {
    spdlog::error("{}: no audit: {}", client_.name(index), to_string(result.status()));
    return;
  }
  const std::string line = to_json_line(client_.name(index), *result);
  if (::write(audit_fd_, line.data(), line.size()) < 0) {
    spdlog::error("{}: the audit cannot be written: {}", client_.name(index),
                  std::system_category().message(errno));
  }
}

}  // namespace cede::frontend
