// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/blk/cede_stack.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdio>
#include <system_error>

#include "tests/bench/server_process.h"

namespace cede::bench {
namespace {

using supervisor::BrokerLink;

constexpr const char* kLogLevel = "error";  // that there is no memory cgroup is no news here

template <class T>
T required(Result<T> result, const char* what) {
  if (!result) {
    throw std::runtime_error(
        fmt::format("the broker refuses {}: {}", what, to_string(result.status())));
  }
  return *std::move(result);
}

std::string device_name(unsigned client) {
  return fmt::format("bench-{}/vda", client);
}

}  // namespace

CedeStack::CedeStack(const RamImage& image, const Clients& clients)
    : programs_(supervisor::find_programs(clients.policy)) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    throw std::system_error(errno, std::generic_category(), "capability socket");
  }
  Fd root(ends[0]);
  const Fd brokers_end(ends[1]);
  std::vector<std::string> broker = {programs_.broker.string(),
                                     "--root-fd",
                                     std::to_string(brokers_end.get()),
                                     "--budget-pages",
                                     std::to_string(clients.count * clients.pages),
                                     "--log-level",
                                     kLogLevel};
  if (!clients.cgroup.empty()) broker.insert(broker.end(), {"--cgroup", clients.cgroup});
  broker_ = start_server(std::move(broker), {brokers_end.get()});
  link_.emplace(std::move(root));

  const BrokerLink::NewDomain driver =
      required(link_->create_domain("bench-driver", 0), "a driver domain");
  driver_domain_ = driver.handle;
  const Fd disk = image.reopen();
  std::vector<std::string> words = {programs_.driver.string(),
                                    "--capability",
                                    std::to_string(driver.socket.get()),
                                    "--disk-fd",
                                    std::to_string(disk.get()),
                                    "--disk-name",
                                    "the benchmark's image",
                                    "--log-level",
                                    kLogLevel};
  if (clients.policy == supervisor::Policy::Revocable) words.emplace_back("--revocable-regions");
  const std::uint64_t part = image.bytes() / clients.count;
  for (unsigned i = 0; i < clients.count; ++i) {
    words.insert(words.end(), {"--export", fmt::format("device={},name={},offset={},length={}", i,
                                                       device_name(i), i * part, part)});
  }
  driver_ = start_server(std::move(words), {driver.socket.get(), disk.get()});

  for (unsigned i = 0; i < clients.count; ++i) {
    BrokerLink::NewDomain client = required(
        link_->create_domain(fmt::format("bench-{}", i), clients.pages), "a client domain");
    (void)required(link_->grant_device(client.handle, driver.handle, i, device_name(i)),
                   "the device");
    clients_.push_back(std::move(client.socket));
  }
}

CedeStack::~CedeStack() {
  clients_.clear();
  link_.reset();  // the broker ends every domain, waits for the pages, and says by its exit status
  pollfd ended{broker_.pidfd(), POLLIN, 0};
  if (!broker_.running() || ::poll(&ended, 1, 10'000) != 1) return;
  if (const std::string end = broker_.reap(); end != "exit 0") {
    fmt::print(stderr, "cede-bench: the broker misses pages at its end ({})\n", end);
  }
}

std::vector<ServerProcess> CedeStack::servers() const {
  return {{"broker", broker_.pid()}, {"driver", driver_.pid()}};
}

}  // namespace cede::bench
