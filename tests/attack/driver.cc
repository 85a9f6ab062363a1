// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/driver.h"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace cede::attack {

Driver::Driver(Fd capability, const ProgramOptions& options, Stage& stage)
    : options_(options), stage_(stage), link_(std::move(capability)) {
  info_.sectors = options_.export_length / block::kSectorBytes;
  info_.logical_block = 512;
  info_.physical_block = 4096;
  info_.max_transfer = 1U << 20;
  info_.max_erase = 1U << 24;
  info_.features = block::Info::kFlush;
}

void Driver::behave_until_begun() {
  while (!stage_.begun()) {
    if (!connected_) {
      listen(20);
      continue;
    }
    if (const auto request = next(20)) answer(request->id, execute(*request));
  }
}

std::optional<block::Request> Driver::next(int patience_ms) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(patience_ms);
  block::Request request;
  while (true) {
    if (ring_->take(request) == Verdict::Ready) return request;
    if (ring_->arm() == Verdict::Ready) continue;
    if (std::chrono::steady_clock::now() > deadline) return std::nullopt;
    pollfd bell{kick_->fd(), POLLIN, 0};
    (void)::poll(&bell, 1, 5);
    kick_->clear();
  }
}

std::uint32_t Driver::execute(const block::Request& request) const {
  std::byte* const payload = memory_.data() + request.offset;
  const auto where =
      options_.export_offset + static_cast<off_t>(request.sector * block::kSectorBytes);
  ssize_t moved = request.length;
  if (request.type == VIRTIO_BLK_T_IN) {
    moved = ::pread(options_.disk, payload, request.length, where);
  } else if (request.type == VIRTIO_BLK_T_OUT) {
    moved = ::pwrite(options_.disk, payload, request.length, where);
  }
  return moved == static_cast<ssize_t>(request.length) ? VIRTIO_BLK_S_OK : VIRTIO_BLK_S_IOERR;
}

void Driver::answer(std::uint32_t id, std::uint32_t status) {
  ring_->put({id, status});
  if (ring_->publish()) call_->ring();
}

void Driver::listen(int patience_ms) {
  pollfd news{link_.fd(), POLLIN, 0};
  if (::poll(&news, 1, patience_ms) != 1) return;
  auto incoming = link_.receive();
  if (!incoming) {
    gone_ = incoming.status() == Status::Gone;
    return;
  }
  const Message& message = incoming->message;
  if (message.type == MessageType::Offer) return accept(*incoming);
  if (message.type == MessageType::Reply && message.tag == awaited_tag_) reply_ = message.status;
  if (message.subject != session_) return;
  if (message.type == MessageType::Connected) connected_ = true;
  if (message.type == MessageType::Closing) closing_ = true;
  if (message.type == MessageType::Closed) closed_ = true;
}

template <class Condition>
bool Driver::listen_until(Condition condition, int patience_ms) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(patience_ms);
  while (!condition() && !gone_ && std::chrono::steady_clock::now() < deadline) listen(10);
  return condition();
}

bool Driver::await_closing(int patience_ms) {
  return listen_until([this] { return is_closing(); }, patience_ms);
}

bool Driver::await_closed(int patience_ms) {
  return listen_until([this] { return is_closed(); }, patience_ms);
}

Status Driver::ask(MessageType type, Status status, Handle subject) {
  reply_.reset();
  send(type, status, subject);
  (void)listen_until([this] { return reply_.has_value(); }, kPatienceMs);
  return reply_.value_or(Status::Gone);
}

void Driver::let_go() {
  ring_.reset();
  kick_.reset();
  call_.reset();
  memory_.reset();
  region_.reset();
}

bool Driver::begin_anew(int patience_ms) {
  answers_offers_ = true;
  const Handle old = session_;
  return end_session() && listen_until([&] { return session_ != old && connected_; }, patience_ms);
}

bool Driver::await_offer(int patience_ms) {
  answers_offers_ = false;
  const Handle old = session_;
  return end_session() && listen_until([&] { return session_ != old; }, patience_ms);
}

bool Driver::end_session() {
  if (closed_) return true;
  if (!closing_) send(MessageType::Close);
  if (!await_closing()) return false;
  let_go();
  send(MessageType::Release);
  return true;
}

void Driver::send(MessageType type, Status status, Handle subject) {
  Message message;
  message.type = type;
  message.subject = subject;
  message.status = status;
  const Result<std::uint32_t> tag = link_.send(message);
  if (tag) awaited_tag_ = *tag;
}

void Driver::accept(ControlLink::Incoming& offer) {
  session_ = offer.message.subject;
  connected_ = closing_ = closed_ = false;
  geometry_ = offer.message.geometry;
  auto memory = Mapping::map(offer.fds[0].get(), geometry_.bytes());
  if (!memory) throw std::runtime_error("the region cannot be mapped");
  memory_ = *std::move(memory);
  region_ = std::move(offer.fds[0]);
  kick_.emplace(std::move(offer.fds[1]));
  call_.emplace(std::move(offer.fds[2]));
  format_ring(memory_.data());
  ring_.emplace(memory_.data(), geometry_.ring_shape());
  if (answers_offers_) say_mapped();
}

void Driver::say_mapped() {
  Message mapped;
  mapped.type = MessageType::Mapped;
  mapped.subject = session_;
  std::memcpy(mapped.info.bytes, &info_, sizeof info_);
  (void)link_.send(mapped);
}

}  // namespace cede::attack
