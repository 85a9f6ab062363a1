// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "tests/attack/attack.h"
#include "tests/attack/siege.h"

namespace cede::attack {
namespace {

namespace fs = std::filesystem;

// Where this process's memory cgroup is, on either version; empty: nowhere that can be seen.
fs::path own_directory() {
  std::ifstream memberships("/proc/self/cgroup");
  for (std::string line; std::getline(memberships, line);) {
    const std::string path = line.substr(line.rfind(':') + 1);
    for (const char* mount :
         {"/sys/fs/cgroup/memory", "/sys/fs/cgroup/unified", "/sys/fs/cgroup"}) {
      const fs::path directory = mount + path;
      const bool ours = directory.filename() == "run" && fs::is_directory(directory);
      if (ours) return directory;
    }
  }
  return {};
}

// Every knob of the system's cgroups: the attacker's, the driver's, the sessions'. Opening one is
// enough; nothing is turned.
long open_any(const fs::path& system) {
  for (const fs::directory_entry& entry :
       fs::recursive_directory_iterator(system, fs::directory_options::skip_permission_denied)) {
    if (!entry.is_regular_file()) continue;
    const int knob = ::open(entry.path().c_str(), O_WRONLY | O_CLOEXEC);
    if (knob >= 0) return knob;
  }
  return -1;
}

void run(Client& client) {
  const fs::path own = own_directory();
  if (own.empty()) return client.stage().note("there is no memory cgroup here");
  const fs::path domain = own.parent_path();
  const fs::path system = domain.parent_path();
  besiege(client, std::array{
                      Attempt{"a limit, or who is in a cgroup, is changed",
                              [&] { return open_any(system); }},
                      Attempt{"a cgroup of its own is made",
                              [&] { return ::mkdir((domain / "mine").c_str(), 0700); }},
                      Attempt{"its own cgroup is removed", [&] { return ::rmdir(own.c_str()); }},
                      Attempt{"its cgroup gets another name",
                              [&] { return ::rename(domain.c_str(), (system / "x").c_str()); }},
                  });
}

const Entry entry{
    {.name = "squeeze-cgroup",
     .family = "revocation",
     .source = "cgroups: memory.max and memory.reclaim take pages from their users",
     .does = "tries every knob of its own cgroups, of the driver's and of the sessions'",
     .holds = "none of them is the client's to turn",
     .run = &run}};

}  // namespace
}  // namespace cede::attack
