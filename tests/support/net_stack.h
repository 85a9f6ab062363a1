// SPDX-License-Identifier: Apache-2.0
// A real broker, a real cede-switch with so many ports, and a client domain for each of them, whose
// frontends are up to the caller. Link cede_supervisor.
#pragma once

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "protocols/net.h"
#include "vmm/process/process.h"
#include "vmm/supervisor/broker_link.h"
#include "vmm/supervisor/programs.h"

namespace cede::test {

class NetStack {
 public:
  struct Options {
    std::uint16_t ports = 2;
    std::uint16_t mtu = 1500;
    std::uint32_t client_pages = 1U << 13;
    std::string log_level = "error";  // that there is no memory cgroup is no news
  };

  // Throws std::runtime_error.
  NetStack(supervisor::Programs programs, const Options& options)
      : programs_(std::move(programs)), options_(options) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
      throw std::system_error(errno, std::generic_category(), "capability socket");
    }
    Fd root(ends[0]);
    const Fd brokers_end(ends[1]);
    broker_ = start({programs_.broker.string(), "--root-fd", std::to_string(brokers_end.get()),
                     "--budget-pages", std::to_string(options_.ports * options_.client_pages + 1)},
                    {brokers_end.get()});
    link_.emplace(std::move(root));
    start_switch();
    for (std::uint16_t port = 0; port < options_.ports; ++port) {
      supervisor::BrokerLink::NewDomain client = required(
          link_->create_domain("client" + std::to_string(port), options_.client_pages), "a client");
      clients_.push_back({client.handle, std::move(client.socket)});
      grant(port);
    }
  }
  NetStack(const NetStack&) = delete;
  NetStack& operator=(const NetStack&) = delete;
  ~NetStack() { (void)end(); }

  // As the frontend's --device names the port.
  [[nodiscard]] static std::string name(std::uint16_t port) {
    return "net/port" + std::to_string(port);
  }
  // What the port sends from.
  [[nodiscard]] static std::string mac(std::uint16_t port) {
    return "02:ce:de:00:00:0" + std::to_string(port + 1);
  }

  // The frontend of a port, once. `device`: the text of --device without class= and name=.
  [[nodiscard]] Process start_frontend(std::uint16_t port, const std::string& kind,
                                       const std::string& device, std::vector<int> inherited = {}) {
    const Fd capability = std::move(clients_.at(port).socket);
    inherited.push_back(capability.get());
    return start({programs_.frontend.string(), "--capability", std::to_string(capability.get()),
                  "--device", "class=" + kind + ",name=" + name(port) + "," + device},
                 std::move(inherited));
  }

  [[nodiscard]] const Process& broker() const noexcept { return broker_; }
  [[nodiscard]] const Process& net_switch() const noexcept { return switch_; }
  void kill_switch() { switch_.kill(); }
  // A switch in the place of one that is dead; frontends connect to it by themselves.
  void restart_switch() {
    switch_.kill();
    start_switch();
    for (std::uint16_t port = 0; port < options_.ports; ++port) grant(port);
  }

  // Ends the system: how the broker ended. "exit 0": every page is home.
  std::string end() {
    if (!link_) return {};
    clients_.clear();
    link_.reset();
    pollfd ended{broker_.pidfd(), POLLIN, 0};
    if (!broker_.running() || ::poll(&ended, 1, 20'000) != 1) return "never";
    return broker_.reap();
  }

 private:
  struct Client {
    Handle handle;
    Fd socket;
  };

  template <class T>
  static T required(Result<T> result, const char* what) {
    if (!result) {
      throw std::runtime_error("the broker refuses " + std::string(what) + ": " +
                               std::string(to_string(result.status())));
    }
    return *std::move(result);
  }

  [[nodiscard]] Process start(std::vector<std::string> words, std::vector<int> inherited) const {
    words.insert(words.end(), {"--log-level", options_.log_level});
    Launch launch;
    launch.arguments = std::move(words);
    launch.inherited = std::move(inherited);
    launch.output = STDERR_FILENO;
    launch.locked_bytes = RLIM_INFINITY;
    return Process::start(launch);
  }
  void start_switch() {
    const supervisor::BrokerLink::NewDomain driver =
        required(link_->create_domain("switch", 0), "a driver domain");
    switch_handle_ = driver.handle;
    std::vector<std::string> words = {programs_.net_switch.string(), "--capability",
                                      std::to_string(driver.socket.get()), "--mtu",
                                      std::to_string(options_.mtu)};
    for (std::uint16_t port = 0; port < options_.ports; ++port) {
      words.insert(words.end(), {"--port", "device=" + std::to_string(port) +
                                               ",name=" + name(port) + ",mac=" + mac(port)});
    }
    switch_ = start(std::move(words), {driver.socket.get()});
  }
  void grant(std::uint16_t port) {
    (void)required(link_->grant_device(clients_[port].handle, switch_handle_, port, name(port)),
                   "a port");
  }

  supervisor::Programs programs_;
  Options options_;
  Process broker_;
  std::optional<supervisor::BrokerLink> link_;
  Process switch_;
  Handle switch_handle_;
  std::vector<Client> clients_;
};

}  // namespace cede::test
