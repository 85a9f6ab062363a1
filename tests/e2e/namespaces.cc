// SPDX-License-Identifier: Apache-2.0
#include "tests/e2e/namespaces.h"

#include <fmt/core.h>

#include <utility>

namespace cede::test {

Namespace::Namespace(std::string name) : name_(std::move(name)) {
  (void)cli::run_tool({"ip", "netns", "delete", name_});  // of an earlier, killed run
  run_on_host("ip netns add " + name_);
  run("ip link set lo up");
}

Namespace::~Namespace() {
  (void)cli::run_tool({"sh", "-c", "ip netns pids " + name_ + " | xargs -r kill -9"});
  (void)cli::run_tool({"ip", "netns", "delete", name_});
}

cli::ToolResult Namespace::try_run(const std::string& command) const {
  // Not `ip netns exec`: that mounts, which not every container can.
  return cli::run_tool({"nsenter", "--net=" + path(), "sh", "-c", command});
}

std::string Namespace::run(const std::string& command) const {
  const cli::ToolResult result = try_run(command);
  EXPECT_EQ(result.exit_status, 0) << name_ << ": " << command << '\n' << result.output;
  return result.output;
}

std::string run_on_host(const std::string& command) {
  const cli::ToolResult result = cli::run_tool({"sh", "-c", command});
  EXPECT_EQ(result.exit_status, 0) << command << '\n' << result.output;
  return result.output;
}

void TwoNamespaces::up(const std::string& driver, const std::string& alice,
                       const std::string& bob) {
  const auto client = [](const char* name, const Namespace& netns, const char* address,
                         const std::string& device) {
    return fmt::format(
        "[[client]]\nname = \"{0}\"\naccount = \"16M\"\n  [[client.device]]\n  name = \"eth0\"\n"
        "  driver = \"sw0\"\n  tap = \"{0}0\"\n  netns = \"{1}\"\n  address = \"{2}/24\"\n{3}\n",
        name, netns.path(), address, device);
  };
  system_.describe(
      fmt::format("name = \"{}\"\nbudget = \"32M\"\n{}\n[[driver]]\nname = \"sw0\"\nkind = \"{}\"\n"
                  "{}\n{}{}",
                  system_.name(), for_all_, kind_, driver, client("alice", alice_, kAlice, alice),
                  client("bob", bob_, kBob, bob)));
  system_.up();
}

void TwoNamespaces::up_with_tap(const std::string& driver) {
  up(fmt::format("uplink = {{ tap = \"{}\", address = \"{}/24\" }}\n{}", kTap, kHost, driver));
}

void TwoNamespaces::expect_no_taps() const {
  EXPECT_EQ(alice_.run("ip -o link | grep -vc ': lo:' || true"), "0\n");
  EXPECT_EQ(bob_.run("ip -o link | grep -vc ': lo:' || true"), "0\n");
  EXPECT_EQ(run_on_host(fmt::format("ip -o link | grep -c {} || true", kTap)), "0\n");
}

void TwoNamespaces::TearDown() {
  (void)system_.down({kTap});
  expect_no_taps();
}

bool TwoNamespaces::pings(const Namespace& from, const std::string& address) {
  return from.try_run("ping -c 1 -W 1 " + address).exit_status == 0;
}

void TwoNamespaces::expect_ping(const Namespace& from, const std::string& address) {
  EXPECT_TRUE(eventually([&] { return pings(from, address); })) << from.name() << ' ' << address;
}

void TwoNamespaces::expect_iperf(const Namespace& client, const Namespace& server,
                                 const std::string& address, const std::string& options) {
  server.run("iperf3 -s -1 -D >/dev/null 2>&1");
  const auto ran = [&] {
    const auto result =
        client.try_run(fmt::format("timeout 60 iperf3 -c {} --json {}", address, options));
    boost::json::error_code error;
    const boost::json::value report = boost::json::parse(result.output, error);
    // No report, or one of an error alone: the server is not there yet.
    const auto* sum = error ? nullptr : report.find_pointer("/end/sum_received", error);
    if (sum == nullptr) sum = report.find_pointer("/end/sum", error);
    if (sum == nullptr) return false;
    EXPECT_GT(sum->at("bytes").to_number<double>(), 0) << result.output;
    if (const auto* lost = sum->as_object().if_contains("lost_percent")) {
      EXPECT_LT(lost->to_number<double>(), 10) << result.output;
    }
    return true;
  };
  EXPECT_TRUE(eventually(ran)) << options;
}

std::uint64_t TwoNamespaces::drops(const std::string& client, const char* reason) const {
  const boost::json::object now = system_.stats();
  for (const auto& device : now.at("devices").as_array()) {
    if (device.at("client").as_string() != client) continue;
    return device.at("stats").at("drops").at(reason).to_number<std::uint64_t>();
  }
  return 0;
}

}  // namespace cede::test
