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

constexpr const char* kLibexec = "CEDE_LIBEXEC";

// NOLINTBEGIN(concurrency-mt-unsafe): one system at a time, and no other thread yet
std::string libexec() {
  const char* set = std::getenv(kLibexec);
  return set != nullptr ? set : "";
}

void set_libexec(const std::string& folder) {
  ::setenv(kLibexec, folder.c_str(), 1);  // an empty one is none
}
// NOLINTEND(concurrency-mt-unsafe)

}  // namespace

Impostor::Impostor(std::string_view attack, const std::string& program, const std::string& word,
                   const std::string& weakened)
    : libexec_(libexec()) {
  const test::TemporaryDirectory& directory = signs_.directory();
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
  set_libexec(directory.path());
}

Impostor::~Impostor() {
  set_libexec(libexec_);
}

void Impostor::link_programs(const std::string& replaced, const fs::path& weakened) const {
  const test::TemporaryDirectory& directory = signs_.directory();
  const supervisor::Programs all = supervisor::find_programs();
  for (const fs::path& program : {supervisor::find_program("cede", "vmm/cli"), all.broker,
                                  supervisor::find_programs(supervisor::Policy::Revocable).broker,
                                  supervisor::find_programs(supervisor::Policy::DriverOwned).broker,
                                  all.driver, all.net_switch, all.frontend, all.shim}) {
    const std::string name = program.filename().string();
    const bool weak = !weakened.empty() && fs::exists(weakened / name);
    fs::create_symlink(weak ? fs::absolute(weakened / name) : program,
                       directory.path(name == replaced ? "honest-" + name : name));
  }
}

}  // namespace cede::attack
