// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/impostor.h"

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "vmm/supervisor/programs.h"

namespace cede::attack {
namespace {

namespace fs = std::filesystem;

}  // namespace

Impostor::Impostor(std::string_view attack, const std::string& program, const std::string& word,
                   const std::string& weakened) {
  const test::TemporaryDirectory& directory = signs_.directory();
  // NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread yet
  ::unsetenv("CEDE_LIBEXEC");
  link_programs(program, weakened);
  const std::string attacker = supervisor::find_program("cede-attacker", "tests/attack").string();
  const std::string wrapper = directory.path(program);
  std::ofstream(wrapper) << fmt::format(
      "#!/bin/sh\n"
      "case \"$*\" in *'{0}'*)\n"
      "  mkdir {1}/turned 2>/dev/null && exec {2} {3} {1} \"$@\";;\n"
      "esac\n"
      "exec {1}/honest-{4} \"$@\"\n",
      word, directory.path().string(), attacker, attack, program);
  fs::permissions(wrapper, fs::perms::owner_all);
  // NOLINTNEXTLINE(concurrency-mt-unsafe)
  ::setenv("CEDE_LIBEXEC", directory.path().c_str(), 1);
}

void Impostor::link_programs(const std::string& replaced, const fs::path& weakened) const {
  const test::TemporaryDirectory& directory = signs_.directory();
  const supervisor::Programs all = supervisor::find_programs();
  for (const fs::path& program : {supervisor::find_program("cede", "vmm/cli"), all.broker,
                                  all.driver, all.net_switch, all.frontend, all.shim}) {
    const std::string name = program.filename().string();
    const bool weak = !weakened.empty() && fs::exists(weakened / name);
    fs::create_symlink(weak ? fs::absolute(weakened / name) : program,
                       directory.path(name == replaced ? "honest-" + name : name));
  }
}

}  // namespace cede::attack
