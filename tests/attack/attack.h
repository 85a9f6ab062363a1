// SPDX-License-Identifier: Apache-2.0
// An attack: one hostile client or driver, written on the public protocol headers alone.
//
// One file each, in the folder of its family; the file makes one Entry at namespace scope, and that
// is all there is to adding one. Attacks run in a process of their own, cede-attacker, with no
// sandbox: whatever a process of that uid can do to others through what it was given, it may try.
#pragma once

#include <string_view>
#include <variant>
#include <vector>

namespace cede::attack {

class Client;
class Driver;
class Master;
class NetMaster;

// What has to become of the attacker's session.
enum class Fate {
  Stays,   // what it does is its right, and costs only itself
  CutOff,  // it broke a protocol: its session is ended
  Either,  // depends on when it is caught
};

struct Attack {
  std::string_view name;  // unique, lower case and hyphens
  // "revocation", "exhaustion", "rings", "data-plane", "hostile-driver"; and "control"
  std::string_view family;
  std::string_view source;  // the advisory, paper or measurement that it comes from
  std::string_view does;    // one sentence
  std::string_view holds;   // what must hold all the same; one sentence
  Fate fate = Fate::Stays;
  // Victims may lose frames to it while it lasts: "What does not, on a network" of
  // docs/threat-model.md says why.
  bool keeps_frames_out = false;
  // Called once, when the victims have been measured beside an honest neighbour. May return, and
  // may go on until it is killed. An exception is an attacker that could go on no further: a
  // failure of the attack, where its fate is to stay.
  std::variant<void (*)(Client&), void (*)(Driver&)> run;
  // The same idea against a peer that serves vhost-user, a disk or a port, where there is one.
  void (*on_vhost_user)(Master&) = nullptr;
  void (*on_vhost_user_net)(NetMaster&) = nullptr;

  [[nodiscard]] bool by_driver() const noexcept { return run.index() == 1; }
};

class Entry {
 public:
  explicit Entry(const Attack& attack);
};

// All there are, by family and name.
[[nodiscard]] const std::vector<Attack>& catalogue();
// Throws std::runtime_error where there is none of that name.
[[nodiscard]] const Attack& find_attack(std::string_view name);

}  // namespace cede::attack
