// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>

#include "tests/bench/net/join.h"
#include "tests/bench/server_process.h"
#include "tests/support/net_stack.h"
#include "tests/support/temporary_directory.h"

namespace cede::bench {
namespace {

using test::NetStack;
using test::NetworkNamespace;

void configure(const NetworkNamespace& space, const std::string& interface, const char* address) {
  space.must(
      fmt::format("ip addr add {}/24 dev {} && ip link set {} up", address, interface, interface));
}

class CedeJoin final : public Join {
 public:
  CedeJoin() : stack_(supervisor::find_programs(), {}), a_(start(left_, 0)), b_(start(right_, 1)) {
    configure(left_, "tap0", kLeft);
    configure(right_, "tap0", kRight);
  }
  [[nodiscard]] std::vector<ServerProcess> servers() const override {
    return {{"switch", stack_.net_switch().pid()}, {"left", a_.pid()}, {"right", b_.pid()}};
  }

 private:
  Process start(const NetworkNamespace& space, std::uint16_t port) {
    const std::vector<Fd> tap = space.open_tap("tap0");
    space.must("ip link set tap0 address " + NetStack::mac(port));
    return stack_.start_frontend(port, "tap", fmt::format("tap={}", tap.front().get()),
                                 {tap.front().get()});
  }

  NetStack stack_;
  Process a_;
  Process b_;
};

class BridgeJoin final : public Join {
 public:
  BridgeJoin() {
    middle_.must("ip link add br0 type bridge && ip link set br0 up");
    attach(left_, "left");
    attach(right_, "right");
    configure(left_, "veth0", kLeft);
    configure(right_, "veth0", kRight);
  }

 private:
  void attach(const NetworkNamespace& space, const char* port) const {
    middle_.must(
        fmt::format("ip link add {0} type veth peer name veth0 netns {1} && "
                    "ip link set {0} master br0 up",
                    port, space.path()));
  }

  NetworkNamespace middle_;
};

class VdeJoin final : public Join {
 public:
  VdeJoin() {
    // It ends when its standard input does, which is ours to close.
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
    const Fd input(ends[0]);
    input_ = Fd(ends[1]);
    switch_ = start_server({"nsenter", "--net=" + middle_.path(), "sh", "-c",
                            fmt::format("exec vde_switch --sock {} --mgmt {} --tap tapa --tap tapb "
                                        "</proc/self/fd/{}",
                                        folder_.path("ctl"), folder_.path("mgmt"), input.get())},
                           {input.get()});
    // The switch holds its TAPs open: they can move, with it attached.
    move("tapa", left_);
    move("tapb", right_);
    configure(left_, "tapa", kLeft);
    configure(right_, "tapb", kRight);
  }
  [[nodiscard]] std::vector<ServerProcess> servers() const override {
    return {{"vde_switch", switch_.pid()}};
  }

 private:
  void move(const char* tap, const NetworkNamespace& space) const {
    const std::string line = fmt::format("ip link set {} netns {}", tap, space.path());
    for (int i = 0; i < 100 && middle_.command(fmt::format("ip link show {}", tap)).status != 0;
         ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    middle_.must(line);
  }

  NetworkNamespace middle_;
  test::TemporaryDirectory folder_;
  Fd input_;
  Process switch_;
};

template <class T>
std::unique_ptr<Join> make() {
  return std::make_unique<T>();
}

}  // namespace

std::span<const JoinKind> join_kinds() {
  static const std::array<JoinKind, 3> kKinds{{
      {"cede", "Cede: two TAP endpoints and cede-switch", make<CedeJoin>},
      {"bridge", "Linux: two veth pairs and a bridge", make<BridgeJoin>},
      {"vde", "vde_switch with two TAPs", make<VdeJoin>},
  }};
  return kKinds;
}

}  // namespace cede::bench
