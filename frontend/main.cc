// SPDX-License-Identifier: Apache-2.0
// cede-frontend: serves the volumes and ports of one client domain, to its VMM by vhost-user, to a
// network namespace by a TAP.
//
// Command line: QEMU's back-end program conventions (docs/interop/vhost-user.rst, "Backend program
// conventions"), and what the supervisor needs beside them. By these a program is of one type: as
// cede-frontend it is a block device, by its other name, cede-frontend-net, a network device.
#include <fcntl.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "frontend/device_option.h"
#include "frontend/sandbox.h"
#include "frontend/service.h"
#include "frontend/tap/tap_device.h"
#include "frontend/vhost_user/blk_device.h"
#include "frontend/vhost_user/listener.h"
#include "frontend/vhost_user/port.h"
#include "frontend/vhost_user/virtio_net.h"
#include "protocols/posix/scheduling.h"
#include "protocols/posix/start_up.h"

namespace cede::frontend {
namespace {

using vhost_user::bind_socket;
using vhost_user::SocketOwner;

constexpr const char* kCapabilities = R"({
  "type": "block",
  "features": [
    "read-only"
  ]
}
)";
constexpr const char* kNetCapabilities = R"({
  "type": "net"
}
)";

struct Options {
  bool net = false;  // what --socket-path and --fd serve
  int capability_fd = -1;
  std::string socket_path;
  int socket_fd = -1;
  std::vector<std::string> devices;
  bool read_only = false;
  bool print_capabilities = false;  // dealt with before anything is parsed
  int audit_fd = -1;
  std::optional<uid_t> uid;
  std::optional<gid_t> gid;
  bool no_sandbox = false;
  std::string log_level = "info";
};

void add_options(CLI::App& app, Options& options) {
  app.add_option("--capability", options.capability_fd,
                 "capability socket to the broker (inherited descriptor)")
      ->required();
  CLI::Option* path = app.add_option("--socket-path", options.socket_path,
                                     "serve the first granted device on this Unix socket");
  CLI::Option* fd = app.add_option("--fd", options.socket_fd,
                                   "the same, on an inherited socket: listening or connected");
  CLI::Option* device =
      app.add_option("--device", options.devices,
                     "name=GRANTED,socket=PATH[,queues=1][,slots=128][,pages=4096], or "
                     "class=net,name=GRANTED,socket=PATH[,queues=1][,slots=1024], or "
                     "class=tap,name=GRANTED,tap=FD[+FD...][,slots=1024]; may be repeated")
          ->take_all()
          ->allow_extra_args(false);
  path->excludes(fd)->excludes(device);
  fd->excludes(device);
  app.add_flag("--read-only", options.read_only, "refuse writes, whatever the volume permits");
  app.add_flag("--print-capabilities", options.print_capabilities,
               "print what this back-end can do as JSON, and exit");
  app.add_option("--audit-fd", options.audit_fd,
                 "once connected, try to take the pages back; one JSON line for each device here");
  CLI::Option* uid = app.add_option("--uid", options.uid, "become this user (needs root)");
  CLI::Option* gid = app.add_option("--gid", options.gid, "and this group");
  uid->needs(gid);
  gid->needs(uid);
  app.add_flag("--no-sandbox", options.no_sandbox, "keep all privileges: for debugging only");
  app.add_option("--log-level", options.log_level)
      ->check(CLI::IsMember({"trace", "debug", "info", "warn", "error", "off"}));
}

std::unique_ptr<ClientDevice> make_port(EventLoop& loop, const DeviceOption& option, Fd socket,
                                        bool read_only) {
  std::unique_ptr<vhost_user::VirtioDevice> device;
  if (option.device_class == DeviceOption::Class::Net) {
    device = std::make_unique<vhost_user::VirtioNet>(option.queues, option.slots);
  } else {
    device = std::make_unique<vhost_user::BlkDevice>(option.geometry(), read_only);
  }
  return std::make_unique<vhost_user::Port>(loop, std::move(device), std::move(socket));
}

std::unique_ptr<ClientDevice> make_tap(EventLoop& loop, const DeviceOption& option) {
  std::vector<Fd> queues;
  for (const int tap : option.taps) queues.push_back(inherited(tap, "--device tap="));
  return std::make_unique<TapDevice>(loop, std::move(queues), option.slots);
}

bool has_taps(const Options& options) {
  return std::any_of(options.devices.begin(), options.devices.end(), [](const std::string& text) {
    return parse_device_option(text).device_class == DeviceOption::Class::Tap;
  });
}

std::vector<ServiceOptions::Device> open_devices(EventLoop& loop, const Options& options) {
  const SocketOwner owner{options.uid, options.gid};
  std::vector<ServiceOptions::Device> devices;
  for (const std::string& text : options.devices) {
    const DeviceOption option = parse_device_option(text);
    devices.push_back({option.name, option.device_class == DeviceOption::Class::Tap
                                        ? make_tap(loop, option)
                                        : make_port(loop, option, bind_socket(option.socket, owner),
                                                    options.read_only)});
  }
  // By convention: one device, whatever its name.
  Fd socket;
  if (options.socket_fd >= 0) {
    socket = inherited(options.socket_fd, "--fd");
    ::fcntl(socket.get(), F_SETFL, O_NONBLOCK);
  }
  if (!options.socket_path.empty()) socket = bind_socket(options.socket_path, owner);
  if (socket) {
    const DeviceOption usual = parse_device_option(options.net ? "class=net,name=first,socket=given"
                                                               : "name=first,socket=given");
    devices.push_back({{}, make_port(loop, usual, std::move(socket), options.read_only)});
  }
  if (devices.empty()) throw OptionError("give --socket-path, --fd or --device");
  return devices;
}

// A client that truncates its guest's memory ends its own frontend, and reads why.
extern "C" void on_bus_error(int) {
  static constexpr char kText[] =
      "cede-frontend: error: the guest's memory was truncated under us; exiting\n";
  (void)!::write(STDERR_FILENO, kText, sizeof kText - 1);
  ::_exit(1);
}

void set_up_signals() {
  (void)hold_stop_signals();
  (void)std::signal(SIGBUS, on_bus_error);
}

int serve(const Options& options) {
  set_up_signals();
  prefer_short_bursts();
  EventLoop loop;
  ServiceOptions service;
  service.capability = inherited(options.capability_fd, "--capability");
  service.devices = open_devices(loop, options);
  service.audit_fd = options.audit_fd;
  const Fd audit = options.audit_fd < 0 ? Fd() : inherited(options.audit_fd, "--audit-fd");
  if (!options.no_sandbox) {
    enter_sandbox({.uid = options.uid,
                   .gid = options.gid,
                   .audit = options.audit_fd >= 0,
                   .taps = has_taps(options)});
  }
  return Service(loop, std::move(service)).run();
}

int run(int argc, char** argv) {
  Options options;
  options.net = std::string_view(argv[0]).ends_with("-net");
  // "Other options and arguments should be ignored" beside this one.
  if (std::any_of(argv + 1, argv + argc, [](const char* argument) {
        return std::string_view(argument) == "--print-capabilities";
      })) {
    return std::fputs(options.net ? kNetCapabilities : kCapabilities, stdout) < 0 ? 1 : 0;
  }
  CLI::App app("Serves the volumes and ports of one client domain, by vhost-user and by TAP.");
  add_options(app, options);
  // What is wrong with a command line ends like any other error, in main().
  app.failure_message([](auto*, const CLI::Error& error) -> std::string { throw error; });
  CLI11_PARSE(app, argc, argv);
  spdlog::set_default_logger(spdlog::stderr_logger_st("cede-frontend"));
  spdlog::set_pattern("%n: %l: %v");
  spdlog::set_level(spdlog::level::from_str(options.log_level));
  return serve(options);
}

}  // namespace
}  // namespace cede::frontend

int main(int argc, char** argv) {
  try {
    return cede::frontend::run(argc, argv);
  } catch (const std::exception& error) {
    (void)std::fprintf(stderr, "cede-frontend: error: %s\n", error.what());
    return 1;
  }
}
