// SPDX-License-Identifier: Apache-2.0
// The broker's end of one domain's capability socket. Everything that comes in is hostile.
//
// Reads a bounded number of messages for each wake, so a domain that floods waits its turn. Sends
// without blocking; the socket's own send buffer is the bounded queue, some hundred messages long,
// and a domain that lets it fill up loses its link. Never takes a descriptor: see receive().
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <functional>
#include <memory>
#include <span>
#include <string_view>

#include "protocols/control.h"
#include "protocols/posix/fd.h"

namespace cede::broker {

class DomainLink : public std::enable_shared_from_this<DomainLink> {
 public:
  static constexpr int kMessagesPerWake = 16;
  static constexpr int kSendBufferBytes = 208 << 10;  // doubled by the kernel, for its own share

  using OnMessage = std::function<void(const Message&)>;
  // The link ended by the domain's doing; called once, from the event loop, never from send().
  using OnEnd = std::function<void(std::string_view why)>;

  DomainLink(boost::asio::io_context& loop, Fd socket);
  void start(OnMessage on_message, OnEnd on_end);
  // Descriptors are sent as copies: the caller keeps its own.
  void send(const Message& message, std::span<const int> fds = {});
  [[nodiscard]] bool is_open() const { return socket_.is_open(); }
  // Ends the link from the broker's side: no callback after this.
  void close();

 private:
  void wait();
  void read_some();
  void end(std::string_view why);  // `why` is a literal

  boost::asio::posix::stream_descriptor socket_;
  OnMessage on_message_;
  OnEnd on_end_;
};

}  // namespace cede::broker
