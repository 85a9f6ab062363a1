// SPDX-License-Identifier: Apache-2.0
// cede-shim: makes a QEMU virtual machine a driver domain. Whoever starts it starts QEMU beside it,
// and gives each of the two one end of three socket pairs.
#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "protocols/ivshmem.h"
#include "protocols/posix/doorbell.h"
#include "protocols/posix/scheduling.h"
#include "protocols/posix/start_up.h"
#include "protocols/session.h"
#include "vmm/qemu/ivshmem_server.h"
#include "vmm/qemu/shim/sandbox.h"
#include "vmm/qemu/shim/shim.h"

namespace cede::qemu {
namespace {

struct Options {
  int capability_fd = -1;
  int bells_fd = -1;
  int monitor_fd = -1;
  int sessions_fd = -1;
  int stats_fd = -1;
  int ready_fd = -1;
  unsigned ports = 0;
  std::optional<uid_t> uid;
  std::optional<gid_t> gid;
  bool no_sandbox = false;
  std::string log_level = "info";
};

void add_options(CLI::App& app, Options& options) {
  app.option_defaults()->take_last();
  app.add_option("--capability", options.capability_fd,
                 "capability socket to the broker (inherited descriptor, as all that follow)")
      ->required();
  app.add_option("--bells", options.bells_fd, "stream socket to QEMU's ivshmem-doorbell device")
      ->required();
  app.add_option("--monitor", options.monitor_fd, "stream socket to a QMP monitor of QEMU's")
      ->required();
  app.add_option("--sessions", options.sessions_fd,
                 "stream socket to the guest's virtio-serial port cede.sessions")
      ->required();
  app.add_option("--ports", options.ports, "sessions at a time: root ports and bells of the VM")
      ->required()
      ->check(CLI::Range(1U, kMaxBells));
  app.add_option("--stats-fd", options.stats_fd, "memfd for the guest's counters");
  app.add_option("--ready-fd", options.ready_fd, "gets one byte when the guest's driver runs");
  CLI::Option* uid = app.add_option("--uid", options.uid, "become this user (needs root)");
  CLI::Option* gid = app.add_option("--gid", options.gid, "and this group");
  uid->needs(gid);
  gid->needs(uid);
  app.add_flag("--no-sandbox", options.no_sandbox, "keep all privileges: for debugging only");
  app.add_option("--log-level", options.log_level)
      ->check(CLI::IsMember({"trace", "debug", "info", "warn", "error", "off"}));
}

Fd inherited_socket(int raw, const char* option, int type) {
  Fd socket = inherited(raw, option);
  int is = 0;
  socklen_t size = sizeof is;
  if (::getsockopt(raw, SOL_SOCKET, SO_TYPE, &is, &size) != 0 || is != type) {
    throw std::runtime_error(fmt::format("{} {}: pass one end of a Unix socketpair of type {}",
                                         option, raw,
                                         type == SOCK_STREAM ? "SOCK_STREAM" : "SOCK_SEQPACKET"));
  }
  return socket;
}

// QEMU's end of what carries no descriptors to us must not make us close any: the last close of
// what QEMU has open can hang. Where the kernel cannot refuse them to the sender (before 6.16), a
// QEMU that its guest has taken over can hang this process, until the domain is killed for it.
Fd socket_to_qemu(int raw, const char* option) {
  Fd socket = inherited_socket(raw, option, SOCK_STREAM);
  const int no = 0;
  (void)::setsockopt(socket.get(), SOL_SOCKET, kPassRights, &no, sizeof no);
  return socket;
}

// The bell device has to have some memory.
Fd unused_page() {
  Fd page(::memfd_create("cede-bells", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!page || ::ftruncate(page.get(), kPageBytes) != 0 ||
      ::fcntl(page.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) != 0) {
    throw std::runtime_error("cannot make a page for the bell device");
  }
  return page;
}

IvshmemEnds set_up_bells(const Options& options) {
  Fd socket = socket_to_qemu(options.bells_fd, "--bells");
  const Fd memory =
      options.stats_fd < 0 ? unused_page() : inherited(options.stats_fd, "--stats-fd");
  Result<IvshmemEnds> bells = IvshmemServer::make(std::move(socket), memory.get(), options.ports);
  if (bells) return *std::move(bells);
  if (bells.status() == Status::Invalid || bells.status() == Status::WrongState) {
    throw std::runtime_error(
        "--stats-fd: pass a memfd of a power of two of pages with F_SEAL_SHRINK, writable");
  }
  throw std::runtime_error(
      fmt::format("cannot set up {} bells: {}", options.ports, to_string(bells.status())));
}

int serve(const Options& options) {
  IvshmemEnds bells = set_up_bells(options);  // first: QEMU waits for them
  prefer_short_bursts();
  Shim shim({.capability = inherited_socket(options.capability_fd, "--capability", SOCK_SEQPACKET),
             .monitor = socket_to_qemu(options.monitor_fd, "--monitor"),
             .sessions = socket_to_qemu(options.sessions_fd, "--sessions"),
             .ready = options.ready_fd < 0 ? Fd() : inherited(options.ready_fd, "--ready-fd"),
             .stop = stop_signals(),
             .bells = std::move(bells)});
  if (options.no_sandbox) {
    spdlog::warn("--no-sandbox: running with all privileges, for debugging only");
  } else {
    enter_sandbox(options.uid, options.gid);
  }
  return shim.run();
}

int run(int argc, char** argv) {
  Options options;
  CLI::App app("The host's side of a driver domain that is a virtual machine.");
  add_options(app, options);
  // What is wrong with a command line ends like any other error, in main().
  app.failure_message([](auto*, const CLI::Error& error) -> std::string { throw error; });
  CLI11_PARSE(app, argc, argv);
  spdlog::set_default_logger(spdlog::stderr_logger_st("cede-shim"));
  spdlog::set_pattern("%n: %l: %v");
  spdlog::set_level(spdlog::level::from_str(options.log_level));
  return serve(options);
}

}  // namespace
}  // namespace cede::qemu

int main(int argc, char** argv) {
  try {
    return cede::qemu::run(argc, argv);
  } catch (const std::exception& error) {
    (void)std::fprintf(stderr, "cede-shim: error: %s\n", error.what());
    return 1;
  }
}
