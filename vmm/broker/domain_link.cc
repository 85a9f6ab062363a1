// SPDX-License-Identifier: Apache-2.0
#include "vmm/broker/domain_link.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <boost/asio/post.hpp>
#include <cerrno>
#include <optional>
#include <utility>

#include "protocols/posix/channel.h"

namespace cede::broker {
namespace {

constexpr int kPassRights = 83;  // SO_PASSRIGHTS, which is younger than our headers

// One whole message, or nothing: there is none now, or `broken` says what the sender did wrong.
//
// There is no room for descriptors on purpose: the kernel then drops them itself. Once received
// they would have to be closed, and close() waits for whoever serves the file (a FUSE flush).
std::optional<Message> receive(int socket, std::string_view& broken) {
  Message message;
  iovec data{&message, sizeof message};
  msghdr header{};
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  const ssize_t received = ::recvmsg(socket, &header, MSG_DONTWAIT | MSG_TRUNC);
  if (received < 0 && (errno == EAGAIN || errno == EINTR)) return std::nullopt;
  if (received == static_cast<ssize_t>(sizeof message) && (header.msg_flags & MSG_CTRUNC) == 0) {
    return message;
  }
  broken =
      received <= 0 ? "its socket closed" : "it sent a descriptor, or a packet of another size";
  return std::nullopt;
}

}  // namespace

DomainLink::DomainLink(boost::asio::io_context& loop, Fd socket) : socket_(loop, socket.release()) {
  const int fd = socket_.native_handle();
  ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &kSendBufferBytes, sizeof kSendBufferBytes);
  // Where the kernel can (6.16), descriptors are refused at the sender already.
  const int off = 0;
  ::setsockopt(fd, SOL_SOCKET, kPassRights, &off, sizeof off);
}

void DomainLink::start(OnMessage on_message, OnEnd on_end) {
  on_message_ = std::move(on_message);
  on_end_ = std::move(on_end);
  wait();
}

void DomainLink::wait() {
  socket_.async_wait(boost::asio::posix::descriptor_base::wait_read,
                     [self = shared_from_this()](const boost::system::error_code& error) {
                       if (!error) self->read_some();
                     });
}

void DomainLink::read_some() {
  for (int i = 0; i < kMessagesPerWake && socket_.is_open(); ++i) {
    std::string_view broken;
    const std::optional<Message> message = receive(socket_.native_handle(), broken);
    if (!broken.empty()) return end(broken);
    if (!message) break;
    on_message_(*message);
  }
  if (socket_.is_open()) wait();
}

void DomainLink::send(const Message& message, std::span<const int> fds) {
  if (!socket_.is_open()) return;
  const Status status =
      send_packet(socket_.native_handle(), std::as_bytes(std::span(&message, 1)), fds);
  if (status == Status::Busy) return end("it does not read its messages");
  if (status != Status::Ok) return end("sending to it failed");
}

void DomainLink::end(std::string_view why) {
  Fd(socket_.release()).reset();
  boost::asio::post(socket_.get_executor(), [self = shared_from_this(), why] {
    if (const OnEnd on_end = std::exchange(self->on_end_, nullptr)) on_end(why);
  });
}

void DomainLink::close() {
  Fd(socket_.release()).reset();
  on_end_ = nullptr;
}

}  // namespace cede::broker
