// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/client.h"

#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "tests/attack/random.h"

namespace cede::attack {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::uint32_t kHonestDepth = 8;

bool is_block(const Message& granted) {
  return std::string_view(granted.name.text) == "vda";
}

}  // namespace

block::Request Disk::request(std::uint16_t type, std::uint64_t sector, std::uint32_t bytes,
                             std::uint32_t page) {
  return {.type = type,
          .flags = 0,
          .id = next_id++ % geometry.slots,
          .sector = sector,
          .offset = geometry.data_offset() + std::uint64_t{page} * kPageBytes,
          .length = bytes,
          .reserved = 0};
}

void Disk::submit(const block::Request& request) {
  ring.put(request);
  publish();
}

std::optional<block::Response> Disk::answer(int patience_ms) {
  const auto deadline = steady_clock::now() + milliseconds(patience_ms);
  block::Response response;
  while (true) {
    if (ring.take(response) == Verdict::Ready) return response;
    if (ring.arm() == Verdict::Ready) continue;
    if (steady_clock::now() > deadline) return std::nullopt;
    pollfd bell{call.fd(), POLLIN, 0};
    (void)::poll(&bell, 1, 20);
    call.clear();
  }
}

Client::Client(Fd capability, Stage& stage) : stage_(stage), broker_({}, std::move(capability)) {
  for (int device = 0; device < 2; ++device) {
    const Message granted = broker_.await(MessageType::Granted).message;
    if (is_block(granted)) {
      disk_ = connect_disk(granted.subject);
      continue;
    }
    port_grant_ = granted.subject;
    connect_port();
  }
}

Client::Connected Client::connect(Handle grant, const Geometry& geometry) {
  const Result<Handle> session = broker_.connect(grant, geometry);
  if (!session) throw std::runtime_error("no session: " + std::string(to_string(session.status())));
  Connected connected{*session, test::accept_offer(broker_, *session), {}};
  if (broker_.status_of(MessageType::Mapped, *session) != Status::Ok) {
    throw std::runtime_error("the broker does not believe that the region is mapped");
  }
  connected.info = broker_.await(MessageType::Connected, *session).message.info;
  return connected;
}

std::unique_ptr<Disk> Client::connect_disk(Handle grant) {
  Connected disk = connect(grant, kDiskGeometry);
  std::byte* const ring = disk.side.mapping.data() + kDiskGeometry.ring_offset(0);
  block::Info info;
  std::memcpy(&info, disk.info.bytes, sizeof info);
  return std::make_unique<Disk>(Disk{.grant = grant,
                                     .session = disk.session,
                                     .geometry = kDiskGeometry,
                                     .info = info,
                                     .region = std::move(disk.side.fds.region),
                                     .memory = std::move(disk.side.mapping),
                                     .kick = KickRinger(std::move(disk.side.fds.kick)),
                                     .call = CallWaiter(std::move(disk.side.fds.call)),
                                     .ring = {ring, kDiskGeometry.ring_shape()}});
}

void Client::connect_port() {
  Connected port = connect(port_grant_, kPortGeometry);
  port_session_ = port.session;
  std::memcpy(&port_info_, port.info.bytes, sizeof port_info_);
  port_ = std::make_unique<test::NetClient>(kPortGeometry, std::move(port.side.mapping),
                                            std::move(port.side.fds));
}

void Client::close(Disk& disk) {
  begin_close(disk.session);
  disk.memory.reset();
  disk.region = {};
  finish_close(disk.session);
}

void Client::close_port() {
  begin_close(port_session_);
  release_port();
}

void Client::release_port() {
  port_.reset();
  finish_close(port_session_);
}

void Client::begin_close(Handle session) {
  (void)broker_.request(MessageType::Close, session);
  (void)broker_.await(MessageType::Closing, session);
}

void Client::finish_close(Handle session) {
  (void)broker_.request(MessageType::Release, session);
  (void)broker_.await(MessageType::Closed, session);
}

template <class Enough>
void Client::read_until(Enough enough) {
  const std::uint64_t blocks = disk_->info.sectors / 8;
  Random random;
  const auto read = [&](std::uint32_t i) {
    return disk_->request(VIRTIO_BLK_T_IN, random.below(blocks) * 8, 4096, i % kHonestDepth);
  };
  disk_->keep_busy(kHonestDepth, read, enough);
}

void Client::behave_until_begun() {
  read_until([this] { return stage_.begun(); });
  while (disk_->ring.in_flight() > 0 && disk_->answer()) {
  }
  if (!stage_.begun()) throw std::runtime_error("the disk does not answer an honest client");
}

void Client::behave() {
  read_until([] { return false; });
}

bool Client::await_cut_off(Handle session) {
  for (const auto deadline = steady_clock::now() + std::chrono::seconds(10);
       steady_clock::now() < deadline;) {
    bool gone = false;
    try {
      gone = broker_.has(MessageType::Closing, session);
    } catch (const std::runtime_error&) {
      gone = true;
    }
    if (gone || broker_.gone()) {
      stage_.cut_off();
      return true;
    }
    ::usleep(1000);
  }
  return false;
}

}  // namespace cede::attack
