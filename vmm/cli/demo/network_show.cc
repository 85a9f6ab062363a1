// SPDX-License-Identifier: Apache-2.0
#include "vmm/cli/demo/network_show.h"

#include <fmt/core.h>

#include <boost/json.hpp>
#include <chrono>
#include <utility>

#include "vmm/supervisor/control_client.h"

namespace cede::cli {
namespace {

namespace json = boost::json;

constexpr std::chrono::seconds kPatience{60};
constexpr const char* kForged = "52:54:00:66:66:66";

}  // namespace

NetworkShow::NetworkShow(Stage& stage, std::string system, Guest one, Guest other)
    : stage_(stage), system_(std::move(system)), one_(std::move(one)), other_(std::move(other)) {}

bool NetworkShow::run() {
  return give_addresses() && ping() && measure("to " + other_.name, "") &&
         measure("from " + other_.name, "-R") && forge();
}

bool NetworkShow::in(const Guest& guest, const std::string& command) {
  auto result = guest.vm.run(command, kPatience);
  output_ = result ? std::move(result->output) : std::string(to_string(result.status()));
  return result && result->exit_status == 0;
}

bool NetworkShow::give_addresses() {
  for (const Guest& guest : {one_, other_}) {
    const bool up =
        in(guest, fmt::format("ip addr add {}/24 dev eth0 && ip link set eth0 up", guest.address));
    stage_.check(up, fmt::format("{} has the address {}{}", guest.name, guest.address,
                                 up ? "" : ": " + output_));
    if (!up) return false;
  }
  return true;
}

bool NetworkShow::ping() {
  for (const auto& [guest, target, name] : {std::tuple{one_, other_.address, other_.name},
                                            {one_, std::string(kHost), "the host"},
                                            {other_, std::string(kHost), "the host"}}) {
    // The first echo of all waits for ARP; one answer of three is proof enough of a way.
    const bool answered = in(guest, fmt::format("ping -c 3 -i 0.2 -W 2 {}", target));
    stage_.check(answered, fmt::format("{} pings {} ({}){}", guest.name, name, target,
                                       answered ? "" : ": " + output_));
    if (!answered) return false;
  }
  return true;
}

bool NetworkShow::measure(const std::string& direction, const std::string& option) {
  if (!in(other_, "iperf3 --server --one-off --daemon >/dev/null 2>&1 && sleep 0.3")) {
    stage_.check(false, "iperf3: " + output_);
    return false;
  }
  const bool ran =
      in(one_, fmt::format("iperf3 --client {} --time 2 --json {}", other_.address, option));
  json::error_code error;
  const json::value report = json::parse(output_, error);
  const json::value* rate =
      error ? nullptr : report.find_pointer("/end/sum_received/bits_per_second", error);
  const bool measured = ran && rate != nullptr;
  stage_.check(measured, measured ? fmt::format("iperf3, {} {}: {:.0f} Mb/s", one_.name, direction,
                                                rate->to_number<double>() / 1e6)
                                  : "iperf3: " + output_);
  return measured;
}

std::uint64_t NetworkShow::spoofed_frames(const Guest& guest) const {
  const json::object stats = supervisor::ControlClient(system_).ask({{"op", "stats"}});
  for (const json::value& device : stats.at("devices").as_array()) {
    const json::object& port = device.as_object();
    if (port.at("client").as_string() != guest.name || !port.contains("mac")) continue;
    return port.at("stats").at("drops").at("spoofed").to_number<std::uint64_t>();
  }
  return 0;
}

bool NetworkShow::forge() {
  const std::uint64_t before = spoofed_frames(other_);
  const std::string own = "$(cat /tmp/own-mac)";
  const bool silent = in(other_, fmt::format("cat /sys/class/net/eth0/address >/tmp/own-mac && "
                                             "ip link set eth0 address {} && "
                                             "! arping -c 2 -w 1 -I eth0 {}",
                                             kForged, kHost));
  const std::uint64_t dropped = spoofed_frames(other_) - before;
  stage_.check(silent && dropped > 0,
               fmt::format("{} takes the MAC address {}: nobody hears it, {} frames dropped",
                           other_.name, kForged, dropped));
  const bool back = in(other_, fmt::format("ip link set eth0 address {} && "
                                           "ping -c 3 -i 0.2 -W 2 {}",
                                           own, kHost));
  stage_.check(back, fmt::format("{} with its own address is heard again{}", other_.name,
                                 back ? "" : ": " + output_));
  return silent && dropped > 0 && back;
}

}  // namespace cede::cli
