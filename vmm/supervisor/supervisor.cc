// SPDX-License-Identifier: Apache-2.0
#include "vmm/supervisor/supervisor.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <boost/json.hpp>
#include <csignal>
#include <stdexcept>
#include <utility>

#include "vmm/supervisor/control_server.h"
#include "vmm/supervisor/event_loop.h"
#include "vmm/supervisor/machine.h"
#include "vmm/supervisor/views.h"

namespace cede::supervisor {
namespace {

namespace json = boost::json;

std::string text_of(const json::object& request, const char* key) {
  const json::value* value = request.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
}

json::object outcome(const std::string& problem) {
  if (problem.empty()) return {{"ok", true}};
  return {{"ok", false}, {"error", problem}};
}

class Supervisor {
 public:
  Supervisor(const System& system, Resources resources, RuntimeDir runtime,
             const Reporter& reporter)
      : runtime_(std::move(runtime)),
        reporter_(reporter),
        machine_(loop_, system, std::move(resources), runtime_,
                 [this](const std::string& line) { progress(line); }),
        server_(
            loop_, runtime_.path() / "control.sock",
            [this](const json::object& request, bool& follow) { return handle(request, follow); }),
        signals_(loop_.on_signals({SIGTERM, SIGINT}, [this] { request_stop(); })) {}

  bool run() {
    try {
      machine_.start();
      started_ = true;
    } catch (const std::runtime_error&) {
      stopping_ = true;
      finish(machine_.stop());
      throw;
    }
    reporter_.ready();
    loop_.run_until([this] { return stop_requested_ || machine_.broken(); });
    stopping_ = true;
    return finish(machine_.stop());
  }

 private:
  void request_stop() {
    stop_requested_ = true;
    machine_.cancel_start();
  }

  // The last word to those who asked for the end.
  bool finish(bool clean) {
    server_.broadcast({{"ok", true}, {"done", true}, {"clean", clean}});
    return clean;
  }

  void progress(const std::string& line) {
    spdlog::info("{}", line);
    reporter_.progress(line);
    server_.broadcast({{"ok", true}, {"progress", line}});
  }

  json::object handle(const json::object& request, bool& follow) {
    const std::string op = text_of(request, "op");
    if (op == "down") {
      follow = true;
      request_stop();
      return {{"ok", true}};
    }
    if (!started_ || stopping_) return outcome("the system is starting or stopping; try again");
    if (op == "ls") return ledger_view(machine_);
    if (op == "stats") return stats_view(machine_);
    if (op == "qemu-args") return qemu_view(machine_, text_of(request, "client"));
    if (op == "connect") {
      return outcome(machine_.connect(text_of(request, "client"), text_of(request, "device")));
    }
    if (op == "disconnect") {
      return outcome(machine_.disconnect(text_of(request, "client"), text_of(request, "device")));
    }
    if (op == "restart") return outcome(machine_.restart(text_of(request, "driver")));
    return outcome(fmt::format("there is no operation '{}'", op));
  }

  RuntimeDir runtime_;
  const Reporter& reporter_;
  EventLoop loop_;
  bool started_ = false;
  bool stopping_ = false;
  bool stop_requested_ = false;
  Machine machine_;
  ControlServer server_;
  EventLoop::Registration signals_;
};

}  // namespace

bool supervise(const System& system, Resources resources, RuntimeDir runtime,
               const Reporter& reporter) {
  return Supervisor(system, std::move(resources), std::move(runtime), reporter).run();
}

}  // namespace cede::supervisor
