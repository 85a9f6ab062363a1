// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/arena.h"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <stdexcept>

#include "tests/support/eventually.h"

namespace cede::attack {
namespace {

namespace json = boost::json;

constexpr std::uint64_t kDiskBytes = 32U << 20;
constexpr std::chrono::seconds kHomecoming{90};
constexpr std::chrono::seconds kReturn{10};
// Longer than the broker's deadline for a driver that does not let go.
constexpr std::chrono::seconds kCutOffPatience{25};
// The load on a hostile driver's disk, at full rate until it turns.
constexpr test::DiskLoad::Options kHostageLoad{.patience = std::chrono::seconds(40)};

std::string client_lines(const char* name, const test::NetworkNamespace& space,
                         const char* address) {
  return fmt::format(
      "[[client]]\nname = \"{0}\"\naccount = \"12M\"\n"
      "[[client.device]]\nname = \"eth0\"\ndriver = \"net0\"\n"
      "tap = \"{0}0\"\nnetns = \"{1}\"\naddress = \"{2}/24\"\n",
      name, space.path(), address);
}

std::string disk_lines(const char* driver, const bench::RamImage& disk,
                       const std::vector<std::pair<const char*, std::uint64_t>>& volumes) {
  std::string text = fmt::format("[[driver]]\nname = \"{}\"\nkind = \"block\"\ndisk = \"{}\"\n",
                                 driver, disk.path());
  for (const auto& [name, offset] : volumes) {
    text += fmt::format("[[driver.volume]]\nname = \"{}\"\noffset = \"{}\"\nsize = \"{}\"\n", name,
                        offset, kDiskBytes);
  }
  return text;
}

std::string vda_lines(const char* driver, const char* volume) {
  return fmt::format(
      "[[client.device]]\nname = \"vda\"\ndriver = \"{}\"\nvolume = \"{}\"\nregion = \"4M\"\n",
      driver, volume);
}

bool is_driver(const bench::ServerProcess& process) {
  return process.role == "disk0" || process.role == "net0";
}

Impostor impostor_for(const Attack& attack, const std::string& weakened) {
  if (attack.by_driver()) return {attack.name, "cede-driver", "--disk-name evil ", weakened};
  return {attack.name, "cede-frontend", "mallory/", weakened};
}

}  // namespace

Arena::Arena(const Attack& attack, System system, const std::string& weakened)
    : attack_(attack),
      impostor_(impostor_for(attack, weakened)),
      disk_(2 * kDiskBytes),
      evil_disk_(kDiskBytes),
      system_(fmt::format("attack-{}", attack.name), description(system)),
      victims_(system_.socket("alice", "vda"), disk_, kDiskBytes, &namespaces_),
      servers_(servers()),
      attacker_(attacker()) {
  if (attack.by_driver()) hostage_.emplace(system_.socket("bob", "vda"), kHostageLoad);
}

std::string Arena::description(System system) const {
  std::string text = "budget = \"64M\"\n";
  if (system != System::Donated) text += fmt::format("policy = \"{}\"\n", to_string(system));
  text += disk_lines("disk0", disk_, {{"a", 0}, {"m", kDiskBytes}});
  if (attack_.by_driver()) text += disk_lines("evil", evil_disk_, {{"b", 0}});
  text += "[[driver]]\nname = \"net0\"\nkind = \"net\"\nmtu = 1500\n";
  text += client_lines("alice", namespaces_.left(), Namespaces::kLeft) + vda_lines("disk0", "a");
  text += client_lines("bob", namespaces_.right(), Namespaces::kRight);
  if (attack_.by_driver()) return text + vda_lines("evil", "b");
  return text + "[[client]]\nname = \"mallory\"\naccount = \"12M\"\n" + vda_lines("disk0", "m") +
         "[[client.device]]\nname = \"eth0\"\ndriver = \"net0\"\nipv4 = \"10.77.0.3\"\n";
}

std::vector<bench::ServerProcess> Arena::servers() const {
  std::vector<bench::ServerProcess> all = system_.servers();
  std::erase_if(all, [this](const bench::ServerProcess& process) {
    return process.role == attackers_name();
  });
  return all;
}

pid_t Arena::attacker() const {
  return system_.domain(attackers_name()).at("pid").to_number<pid_t>();
}

Phase Arena::measure(std::chrono::milliseconds duration) {
  std::vector<bench::ServerProcess> drivers;
  std::vector<bench::ServerProcess> broker;
  for (const bench::ServerProcess& process : servers()) {
    if (is_driver(process)) drivers.push_back(process);
    if (process.role == "broker") broker.push_back(process);
  }
  const Holdings drivers_before = holdings_of(drivers);
  const Holdings broker_before = holdings_of(broker);
  const auto begun = std::chrono::steady_clock::now();
  Phase phase;
  phase.victim = victims_.work(duration);
  phase.drivers = holdings_since(drivers_before, drivers);
  phase.broker = holdings_since(broker_before, broker);
  phase.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  return phase;
}

void Arena::await_cut_off() {
  (void)eventually([this] { return heard().cut_off_ms || attacker_is_gone(); }, kCutOffPatience);
}

void Arena::end_attack() {
  if (!attacker_is_gone()) ::kill(attacker_, SIGKILL);
  const bool back = eventually([&] {
    const pid_t pid = attacker();
    return pid != attacker_ && pid > 0;
  });
  if (!back) throw std::runtime_error("the attacker's domain does not come back");
}

bool Arena::settles() {
  const auto is_home = [this] { return system_.ledger().at("leaving").as_array().empty(); };
  if (!eventually(is_home, kHomecoming)) return false;
  // A session in the making has descriptors of the broker's.
  (void)eventually(
      [this] {
        const json::object now = system_.ledger();
        return std::ranges::all_of(now.at("sessions").as_array(), [](const json::value& session) {
          return session.at("state").as_string() == "connected";
        });
      },
      kReturn);
  return true;
}

std::int64_t Arena::pages_unaccounted() const {
  const json::object totals = system_.ledger().at("totals").as_object();
  return totals.at("budget").to_number<std::int64_t>() -
         totals.at("accounts").to_number<std::int64_t>() -
         totals.at("escrow").to_number<std::int64_t>() -
         totals.at("in_sessions").to_number<std::int64_t>();
}

bool Arena::attacker_is_gone() const {
  return attacker() != attacker_;
}

bool Arena::attacker_is_rejected() const {
  const json::object stats = system_.stats();
  return std::ranges::any_of(stats.at("devices").as_array(), [this](const json::value& device) {
    return device.at("client").as_string() == attackers_name() &&
           device.at("stats").at("rejected").to_number<std::uint64_t>() != 0;
  });
}

std::vector<std::string> Arena::lost_servers() const {
  std::vector<std::string> lost;
  const std::vector<bench::ServerProcess> now = servers();
  for (const bench::ServerProcess& before : servers_) {
    const bool same = std::ranges::any_of(now, [&](const bench::ServerProcess& process) {
      return process.role == before.role && process.pid == before.pid;
    });
    if (!same) lost.push_back(before.role);
  }
  return lost;
}

std::vector<std::string> Arena::damage() {
  std::vector<std::string> all;
  if (!victims_.disk_is_unharmed()) all.emplace_back("the victim's disk is spoilt");
  if (hostage_ && !hostage_->moves()) all.emplace_back("the driver's client never gets on again");
  return all;
}

}  // namespace cede::attack
