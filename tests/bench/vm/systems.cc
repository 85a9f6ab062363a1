// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/vm/systems.h"

#include <fmt/format.h>

#include "tests/bench/blk/vhost_user_target.h"
#include "tests/bench/running_system.h"

namespace cede::bench {
namespace {

std::string name_of(const DriverKind& kind) {
  return fmt::format("bench-{}", kind.name);
}

class DiskSystem final : public TargetSystem<VhostUserTarget> {
 public:
  DiskSystem(const DriverKind& kind, std::uint64_t image_bytes)
      : TargetSystem(image_bytes),
        system_(name_of(kind), disk_description(kind, image().path(), image_bytes)),
        target_(system_.socket("frontend", "vda")) {}
  std::vector<ServerProcess> servers() const override { return system_.servers(); }

 private:
  VhostUserTarget& target() override { return target_; }

  RunningSystem system_;
  VhostUserTarget target_;
};

class SwitchJoin final : public Join {
 public:
  explicit SwitchJoin(const DriverKind& kind) : system_(name_of(kind), description(kind)) {}
  [[nodiscard]] std::vector<ServerProcess> servers() const override { return system_.servers(); }

 private:
  [[nodiscard]] std::string description(const DriverKind& kind) const {
    std::string text = fmt::format(
        "budget = \"32M\"\n[[driver]]\nname = \"driver\"\nmtu = 1500\n{}", kind.lines("net"));
    const auto add = [&](const char* name, const test::NetworkNamespace& space,
                         const char* address) {
      text += fmt::format(
          "[[client]]\nname = \"{0}\"\naccount = \"16M\"\n"
          "[[client.device]]\nname = \"eth0\"\ndriver = \"driver\"\n"
          "tap = \"{0}0\"\nnetns = \"{1}\"\naddress = \"{2}/24\"\n",
          name, space.path(), address);
    };
    add("left", left(), kLeft);
    add("right", right(), kRight);
    return text;
  }

  RunningSystem system_;
};

}  // namespace

std::vector<SystemKind> disks(std::span<const DriverKind> kinds) {
  std::vector<SystemKind> all;
  for (const DriverKind& kind : kinds) {
    all.push_back({kind.name, kind.what, [kind](std::uint64_t image_bytes) {
                     return std::make_unique<DiskSystem>(kind, image_bytes);
                   }});
  }
  return all;
}

std::vector<JoinKind> switches(std::span<const DriverKind> kinds) {
  std::vector<JoinKind> all;
  for (const DriverKind& kind : kinds) {
    all.push_back({kind.name, kind.what, [kind] { return std::make_unique<SwitchJoin>(kind); }});
  }
  return all;
}

}  // namespace cede::bench
