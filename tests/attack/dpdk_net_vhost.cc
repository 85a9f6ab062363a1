// SPDX-License-Identifier: Apache-2.0
// One testpmd, whose one thread forwards frames by three ports: the victims' two, and the
// attacker's, which has its own frames sent back to it. There is no disk.
#include <fmt/format.h>

#include "tests/attack/peer.h"
#include "tests/bench/net/testpmd.h"
#include "tests/support/network_namespace.h"
#include "tests/support/temporary_directory.h"

namespace cede::attack {
namespace {

// Veth pairs between the victims' namespaces and one where their other ends are.
class CablesTo final : public Namespaces {
 public:
  explicit CablesTo(const test::NetworkNamespace& middle) {
    lay(middle, "left", left_, kLeft);
    lay(middle, "right", right_, kRight);
  }

 private:
  static void lay(const test::NetworkNamespace& middle, const char* name,
                  const test::NetworkNamespace& space, const char* address) {
    middle.must(
        fmt::format("ip link add {0} type veth peer name veth0 netns {1} && ip link set {0} up",
                    name, space.path()));
    space.must(fmt::format("ip addr add {}/24 dev veth0 && ip link set veth0 up", address));
  }
};

class DpdkNetVhost final : public Peer {
 public:
  DpdkNetVhost()
      : cables_(middle_), socket_(folder_.path("port")), testpmd_(start()), victims_(cables_) {}

  [[nodiscard]] pid_t server() const override { return testpmd_.pid(); }
  [[nodiscard]] bool is_dead() const override { return !testpmd_.running(); }
  [[nodiscard]] Victims& victims() override { return victims_; }
  [[nodiscard]] const std::string& attackers_socket() const override { return socket_; }

 private:
  [[nodiscard]] bench::Testpmd start() const {
    bench::Testpmd testpmd({.devices = {"net_af_packet0,iface=left", "net_af_packet1,iface=right",
                                        "net_vhost0,queues=1,iface=" + socket_},
                            .words = {"--forward-mode=io"},
                            .network = middle_.path()});
    testpmd.await_socket(socket_);
    return testpmd;
  }

  test::NetworkNamespace middle_;
  CablesTo cables_;
  test::TemporaryDirectory folder_;
  std::string socket_;
  bench::Testpmd testpmd_;
  Victims victims_;
};

}  // namespace

std::unique_ptr<Peer> start_dpdk_net_vhost() {
  return std::make_unique<DpdkNetVhost>();
}

}  // namespace cede::attack
