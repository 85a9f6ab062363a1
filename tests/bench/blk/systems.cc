// SPDX-License-Identifier: Apache-2.0
// The systems that are compared.
#include <fmt/format.h>

#include <array>
#include <optional>

#include "tests/bench/blk/cede_stack.h"
#include "tests/bench/blk/frontend_target.h"
#include "tests/bench/blk/raw_uring_target.h"
#include "tests/bench/blk/server_socket.h"
#include "tests/bench/blk/system.h"
#include "tests/bench/blk/vhost_user_target.h"
#include "tests/bench/server_process.h"

namespace cede::bench {
namespace {

class RawSystem final : public TargetSystem<RawUringTarget> {
 public:
  explicit RawSystem(std::uint64_t image_bytes)
      : TargetSystem(image_bytes), target_(image().reopen()) {}
  std::vector<ServerProcess> servers() const override { return {}; }

 private:
  RawUringTarget& target() override { return target_; }

  RawUringTarget target_;
};

class LibrarySystem final : public TargetSystem<FrontendTarget> {
 public:
  explicit LibrarySystem(std::uint64_t image_bytes)
      : TargetSystem(image_bytes), stack_(image()), target_(stack_.take_client()) {}
  std::vector<ServerProcess> servers() const override { return stack_.servers(); }

 private:
  FrontendTarget& target() override { return target_; }

  CedeStack stack_;
  FrontendTarget target_;
};

class EndpointSystem final : public TargetSystem<VhostUserTarget> {
 public:
  explicit EndpointSystem(std::uint64_t image_bytes) : TargetSystem(image_bytes), stack_(image()) {
    const Fd capability = stack_.take_client();
    const ServerSocket socket;
    frontend_ = start_server(
        {stack_.programs().frontend.string(), "--capability", std::to_string(capability.get()),
         "--fd", std::to_string(socket.fd()), "--log-level", "error"},
        {capability.get(), socket.fd()});
    target_.emplace(socket.path());
  }
  std::vector<ServerProcess> servers() const override {
    std::vector<ServerProcess> all = stack_.servers();
    all.push_back({"frontend", frontend_.pid()});
    return all;
  }

 private:
  VhostUserTarget& target() override { return *target_; }

  CedeStack stack_;
  Process frontend_;
  std::optional<VhostUserTarget> target_;
};

enum class Aio : std::uint8_t { Threads, IoUring };

class QemuSystem final : public TargetSystem<VhostUserTarget> {
 public:
  QemuSystem(std::uint64_t image_bytes, Aio aio) : TargetSystem(image_bytes) {
    const ServerSocket socket;
    server_ = start_server(
        {"qemu-storage-daemon", "--blockdev",
         fmt::format("driver=file,node-name=disk,filename={},cache.direct=off,aio={}",
                     image().path(), aio == Aio::Threads ? "threads" : "io_uring"),
         "--export",
         fmt::format("type=vhost-user-blk,id=export,node-name=disk,addr.type=fd,addr.str={},"
                     "writable=on,num-queues=1",
                     socket.fd())},
        {socket.fd()});
    target_.emplace(socket.path());
  }
  std::vector<ServerProcess> servers() const override { return {{"qsd", server_.pid()}}; }

 private:
  VhostUserTarget& target() override { return *target_; }

  Process server_;
  std::optional<VhostUserTarget> target_;
};

template <class T, auto... kArguments>
std::unique_ptr<System> start(std::uint64_t image_bytes) {
  return std::make_unique<T>(image_bytes, kArguments...);
}

}  // namespace

std::span<const SystemKind> system_kinds() {
  static const std::array<SystemKind, 5> kKinds{{
      {"raw", "io_uring on the image itself, in the client's process", start<RawSystem>},
      {"library", "Cede's frontend library -> cede-driver", start<LibrarySystem>},
      {"endpoint", "a vhost-user-blk client -> cede-frontend -> cede-driver",
       start<EndpointSystem>},
      {"qsd-threads", "the same client -> qemu-storage-daemon, aio=threads",
       start<QemuSystem, Aio::Threads>},
      {"qsd-io_uring", "the same client -> qemu-storage-daemon, aio=io_uring",
       start<QemuSystem, Aio::IoUring>},
  }};
  return kKinds;
}

}  // namespace cede::bench
