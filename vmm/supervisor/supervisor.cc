// SPDX-License-Identifier: Apache-2.0
#include "vmm/supervisor/supervisor.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

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
  Supervisor(Machine::Kept kept, const System& system, Resources resources,
             const RuntimeDir& runtime, Fd listener, const Reporter& reporter)
      : reporter_(reporter),
        machine_(loop_, kept, system, std::move(resources), runtime,
                 [this](const std::string& line) { progress(line); }),
        server_(
            loop_, std::move(listener),
            [this](const json::object& request, bool& follow) { return handle(request, follow); }),
        signals_(loop_.on_signals({SIGTERM, SIGINT}, [this] { request_stop(); })) {}

  bool start() {
    try {
      machine_.start();
    } catch (const std::runtime_error&) {
      stopping_ = true;
      finish(machine_.stop());
      throw;
    }
    reporter_.ready();
    return run();
  }

  bool go_on(unsigned life, Record::Phase phase) {
    spdlog::warn("the supervisor was killed; this is its life {}", life);
    machine_.adopt(life);
    stop_requested_ = phase == Record::Phase::Stopping;
    return run();
  }

 private:
  bool run() {
    started_ = true;
    loop_.run_until([this] {
      machine_.save();
      return stop_requested_ || machine_.broken();
    });
    stopping_ = true;
    return finish(machine_.stop());
  }

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
    if (!machine_.has_broker()) {
      return outcome("the broker died, and its successor is being started; try again");
    }
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
  if (::geteuid() == 0) resources.uids = claim_uids();
  Fd listener = listen_for_control(runtime.path() / "control.sock");
  SharedRecord record;
  // What is moved here is moved in a child process, which has a copy of it all.
  const int code = keep([&](KeeperLink& keeper, unsigned life) {
    const Record::Phase phase = record.read().phase;
    reporter.begin();
    try {
      if (life > 1 && phase == Record::Phase::Starting) {
        throw std::runtime_error("the supervisor was killed while it started the system");
      }
      Supervisor supervisor({keeper, record}, system, std::move(resources), runtime,
                            std::move(listener), reporter);
      return (life == 1 ? supervisor.start() : supervisor.go_on(life, phase)) ? 0 : 1;
    } catch (const std::exception& error) {
      spdlog::error("{}", error.what());
      reporter.failed(error.what());
      return 1;
    }
  });
  listener.reset();
  close_interfaces(std::move(resources.interfaces));
  return code == 0;
}

}  // namespace cede::supervisor
