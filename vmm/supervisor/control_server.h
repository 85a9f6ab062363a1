// SPDX-License-Identifier: Apache-2.0
// The supervisor's end of its control socket: one JSON object a line, in and out.
//
// Each request object has one response object: {"ok":true,...} or {"ok":false,"error":"..."}. The
// socket's mode lets only the supervisor's user in; still, what one connection can make us hold is
// bounded.
#pragma once

#include <boost/json/fwd.hpp>
#include <filesystem>
#include <functional>
#include <list>
#include <string>

#include "protocols/posix/fd.h"
#include "vmm/supervisor/event_loop.h"

namespace cede::supervisor {

// The socket, at a path. Throws std::runtime_error.
[[nodiscard]] Fd listen_for_control(const std::filesystem::path& path);

class ControlServer {
 public:
  // Returns the response. Setting `follow` makes the connection hear every broadcast.
  using Handler = std::function<boost::json::object(const boost::json::object&, bool& follow)>;

  ControlServer(EventLoop& loop, Fd listener, Handler handler);
  ~ControlServer();

  void broadcast(const boost::json::object& message);

 private:
  struct Connection;

  void accept();
  void receive(Connection& connection);
  void answer(Connection& connection, const std::string& line);
  void send(Connection& connection, const boost::json::object& message);
  void flush(Connection& connection);
  void sweep();

  EventLoop& loop_;
  Handler handler_;
  Fd listener_;
  EventLoop::Registration watch_;
  std::list<Connection> connections_;
};

}  // namespace cede::supervisor
