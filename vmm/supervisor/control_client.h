// SPDX-License-Identifier: Apache-2.0
// The CLI's end of a supervisor's control socket.
#pragma once

#include <sys/types.h>

#include <boost/json/fwd.hpp>
#include <string>

#include "protocols/posix/fd.h"

namespace cede::supervisor {

class ControlClient {
 public:
  // Throws std::runtime_error if the system does not run, or does not answer.
  explicit ControlClient(const std::string& system);

  // The supervisor's process, as it was when it began to listen.
  [[nodiscard]] pid_t server() const noexcept;

  // Sends a request and returns the response. Throws std::runtime_error with the response's error
  // where it is not ok, or if the connection ends.
  [[nodiscard]] boost::json::object ask(const boost::json::object& request);
  // Waits for the next message. Throws std::runtime_error if the connection ends.
  [[nodiscard]] boost::json::object next();

 private:
  std::string system_;
  Fd fd_;
  std::string in_;
};

}  // namespace cede::supervisor
