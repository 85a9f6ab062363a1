// SPDX-License-Identifier: Apache-2.0
#include "vmm/qemu/qmp_client.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <cerrno>
#include <span>
#include <utility>

#include "protocols/posix/channel.h"

namespace cede::qemu {
namespace {

namespace json = boost::json;

constexpr std::size_t kReceiveSize = 64UL << 10;
constexpr std::size_t kMaxText = 512;

std::string text_of(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr || !value->is_string()) return {};
  return std::string(std::string_view(value->get_string()).substr(0, kMaxText));
}

}  // namespace

Result<std::uint32_t> QmpClient::send(std::string_view command, const json::object& arguments,
                                      int descriptor) {
  if (state_ != State::Ready) return Status::WrongState;
  return send_now(command, arguments, descriptor);
}

Result<std::uint32_t> QmpClient::send_now(std::string_view command, const json::object& arguments,
                                          int descriptor) {
  const std::uint32_t id = last_id_ + 1;
  json::object object{{"execute", command}, {"id", id}};
  if (!arguments.empty()) object["arguments"] = arguments;
  const std::string line = json::serialize(object) + '\n';
  if (line.size() > kMaxCommand) return Status::Invalid;
  // A stream socket takes all of so little, or nothing.
  const auto bytes = std::as_bytes(std::span(line));
  const Status status = descriptor < 0
                            ? send_packet(socket_.get(), bytes)
                            : send_packet(socket_.get(), bytes, std::span(&descriptor, 1));
  if (status != Status::Ok) return status;
  return last_id_ = id;
}

Result<QmpMessage> QmpClient::receive() {
  for (;;) {
    const std::size_t end = received_.find('\n', searched_to_);
    if (end == std::string::npos) {
      searched_to_ = received_.size();
      if (const Status status = receive_some(); status != Status::Ok) return status;
      continue;
    }
    const std::string line = received_.substr(0, end);
    received_.erase(0, end + 1);
    searched_to_ = 0;
    Result<QmpMessage> message = judge(line);
    const bool ours = !message && message.status() == Status::Busy;  // a step of the handshake
    if (!ours) return message;
  }
}

// Bounded by kMaxMessage: whoever sends more without the end of a line is Broken.
Status QmpClient::receive_some() {
  if (received_.size() > kMaxMessage) return Status::Broken;
  const std::size_t before = received_.size();
  received_.resize(before + kReceiveSize);
  const ssize_t got = ::recv(socket_.get(), received_.data() + before, kReceiveSize, MSG_DONTWAIT);
  received_.resize(before + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  if (got > 0) return Status::Ok;
  if (got == 0 || errno == ECONNRESET) return Status::Gone;
  return errno == EAGAIN || errno == EINTR ? Status::Busy : Status::IoError;
}

Result<QmpMessage> QmpClient::judge(std::string_view line) {
  json::error_code error;
  const json::value value = json::parse(line, error);  // nested up to 32 deep
  if (error || !value.is_object()) return Status::Broken;
  const json::object& object = value.get_object();
  QmpMessage message;

  if (state_ == State::Connected) {
    if (!object.contains("QMP")) return Status::Broken;
    const Result<std::uint32_t> sent = send_now("qmp_capabilities", {}, -1);
    if (!sent) return sent.status() == Status::Busy ? Status::Broken : sent.status();
    state_ = State::Greeted;
    return Status::Busy;
  }
  if (object.contains("event")) {
    message.kind = QmpMessage::Kind::Event;
    message.text = text_of(object, "event");
    if (const json::value* data = object.if_contains("data")) message.data = *data;
    return message;
  }
  const json::value* id = object.if_contains("id");
  json::error_code not_a_number;
  if (id != nullptr) message.id = id->to_number<std::uint32_t>(not_a_number);
  if (id == nullptr || not_a_number || message.id == 0 || message.id > last_id_) {
    return Status::Broken;
  }
  message.kind = QmpMessage::Kind::Reply;
  const json::value* returned = object.if_contains("return");
  const json::value* failure = object.if_contains("error");
  if ((returned != nullptr) == (failure != nullptr)) return Status::Broken;
  if (returned != nullptr) {
    message.ok = true;
    message.data = *returned;
  } else {
    if (!failure->is_object()) return Status::Broken;
    message.text = text_of(failure->get_object(), "desc");
    message.error = text_of(failure->get_object(), "class");
  }
  if (state_ == State::Greeted) {
    if (!message.ok) return Status::Broken;
    state_ = State::Ready;
    message.kind = QmpMessage::Kind::Ready;
  }
  return message;
}

}  // namespace cede::qemu
