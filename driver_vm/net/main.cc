// SPDX-License-Identifier: Apache-2.0
// cede-switch: one uplink, many clients' ports, in a sandbox. The uplink, the capability socket and
// the page for its counters are inherited from whoever starts it; in a driver VM, it opens the
// interface, and the devices that stand for the socket.
#include <spdlog/spdlog.h>
#include <sys/random.h>

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "driver_vm/net/net_service.h"
#include "driver_vm/net/port_spec.h"
#include "driver_vm/net/uplink.h"
#include "driver_vm/program.h"
#include "driver_vm/setup_error.h"
#include "protocols/posix/packet_socket.h"
#include "protocols/posix/start_up.h"

namespace cede::driver {
namespace {

struct Options : ProgramOptions {
  int uplink_fd = -1;
  std::string uplink;
  std::string uplink_name;
  std::string uplink_interface;
  std::uint16_t mtu = 1500;
  std::vector<std::string> ports;

  [[nodiscard]] Uplink::Kind kind() const {
    return uplink == "tap" ? Uplink::Kind::Tap : Uplink::Kind::Packet;
  }
};

void add_options(CLI::App& app, Options& options) {
  CLI::Option* fd = app.add_option("--uplink-fd", options.uplink_fd,
                                   "TAP queue or packet socket (inherited descriptor)");
  CLI::Option* kind = app.add_option("--uplink", options.uplink, "what --uplink-fd is");
  kind->check(CLI::IsMember({"tap", "packet"}));
  fd->needs(kind);
  kind->needs(fd);
  app.add_option("--uplink-interface", options.uplink_interface,
                 "interface to open as the uplink, in a driver VM")
      ->excludes(fd)
      ->needs("--driver-vm");
  app.add_option("--uplink-name", options.uplink_name, "the interface's name")->needs(fd);
  app.add_option("--mtu", options.mtu, "the uplink's, and the ports' unless they say otherwise")
      ->check(CLI::Range(net::kMinMtu, net::kMaxMtu));
  app.add_option("--port", options.ports,
                 "device=N,name=TEXT,mac=ADDRESS[,mtu=BYTES][,ipv4=ADDRESS][,vlan=N|trunk=N+M]"
                 "[,isolated][,spoofing][,weight=1..100][,pps=N][,bps=N][,storm=N]")
      ->required()
      ->take_all()
      ->allow_extra_args(false);
}

[[nodiscard]] std::uint64_t secret() {
  std::uint64_t number = 0;
  if (::getrandom(&number, sizeof number, 0) != sizeof number) {
    throw SetupError("the kernel gives no random numbers");
  }
  return number;
}

struct UplinkSource {
  Fd fd;
  Uplink::Kind kind{};
  std::string name;
};

// Nothing: there is no uplink.
[[nodiscard]] std::optional<UplinkSource> uplink_source(const Options& options) {
  if (!options.uplink_interface.empty()) {
    return UplinkSource{.fd = open_packet_socket(options.uplink_interface),
                        .kind = Uplink::Kind::Packet,
                        .name = options.uplink_interface};
  }
  if (options.uplink_fd < 0) return std::nullopt;
  if (options.kind() == Uplink::Kind::Packet && options.uplink_name.empty()) {
    throw SetupError("--uplink packet: --uplink-name NAME is missing");
  }
  return UplinkSource{.fd = inherited(options.uplink_fd, "--uplink-fd"),
                      .kind = options.kind(),
                      .name = options.uplink_name};
}

int serve(const Options& options) {
  Inheritance inheritance(options);
  std::vector<PortSpec> ports = make_ports(options.ports, options.mtu);
  EventLoop loop;
  std::optional<Uplink> uplink;
  DeviceCalls calls;
  if (std::optional<UplinkSource> source = uplink_source(options)) {
    uplink.emplace(std::move(source->fd), source->kind, std::move(source->name), loop);
    calls = Uplink::calls(source->kind);
  }
  spdlog::info("{} port(s), MTU {}, {}", ports.size(), options.mtu,
               uplink ? "uplink " + uplink->name() : "no uplink");
  NetService service(std::move(ports), uplink ? &*uplink : nullptr, options.mtu,
                     inheritance.stats.page(), secret());
  return serve_sessions(options, inheritance, loop, service, calls, {}, [&] {
    if (uplink) uplink->start();
  });
}

}  // namespace
}  // namespace cede::driver

int main(int argc, char** argv) {
  cede::driver::Options options;
  return cede::driver::run_program(
      "cede-switch", "Cede's network driver domain", argc, argv, options,
      [&](CLI::App& app) { cede::driver::add_options(app, options); },
      [&] { return cede::driver::serve(options); });
}
