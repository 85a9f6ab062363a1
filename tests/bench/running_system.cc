// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/running_system.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <utility>

#include "vmm/process/process.h"
#include "vmm/supervisor/control_client.h"
#include "vmm/supervisor/programs.h"

namespace cede::bench {
namespace {

namespace json = boost::json;

// Of all systems here. Systems of the user's own are none of ours.
const test::TemporaryDirectory& runtime_root() {
  static const test::TemporaryDirectory directory;
  // NOLINTNEXTLINE(concurrency-mt-unsafe)
  ::setenv("CEDE_RUNTIME_DIR", directory.path().c_str(), 1);
  return directory;
}

// A run of the `cede` command, waited for. What it prints is shown where it fails.
void cede(std::vector<std::string> words) {
  const Fd output(::memfd_create("output", MFD_CLOEXEC));
  words.insert(words.begin(), supervisor::find_program("cede", "vmm/cli").string());
  Launch launch;
  launch.arguments = words;
  launch.output = output.get();
  if (Process::start(launch).wait(kBootPatience) == 0) return;
  std::string text(4096, '\0');
  const ssize_t got = ::pread(output.get(), text.data(), text.size(), 0);
  text.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
  throw std::runtime_error(fmt::format("'cede {}' has failed: {}", words[1], text));
}

}  // namespace

RunningSystem::RunningSystem(std::string name, const std::string& description)
    : name_(std::move(name)) {
  (void)runtime_root();
  const std::string file = directory_.path("system.toml");
  std::ofstream(file) << fmt::format("name = \"{}\"\n{}", name_, description);
  cede({"up", file});
}

RunningSystem::~RunningSystem() {
  try {
    cede({"down", name_});
  } catch (const std::exception& error) {
    fmt::print(stderr, "cede-bench: {}\n", error.what());
  }
}

std::string RunningSystem::socket(const std::string& client, const std::string& device) const {
  return runtime_root().path() / name_ / client / (device + ".sock");
}

json::object RunningSystem::ledger() const {
  return supervisor::ControlClient(name_).ask({{"op", "ls"}});
}

json::object RunningSystem::domain(const std::string& name) const {
  const json::object all = ledger();
  for (const json::value& domain : all.at("domains").as_array()) {
    if (domain.at("name").as_string() == name) return domain.as_object();
  }
  throw std::runtime_error(fmt::format("the system has no domain '{}'", name));
}

json::object RunningSystem::stats() const {
  return supervisor::ControlClient(name_).ask({{"op", "stats"}});
}

void RunningSystem::begin_restart(const std::string& driver) const {
  (void)supervisor::ControlClient(name_).ask({{"op", "restart"}, {"driver", driver}});
}

std::vector<ServerProcess> RunningSystem::servers() const {
  const json::object books = ledger();
  std::vector<ServerProcess> all{{"broker", books.at("broker_pid").to_number<pid_t>()}};
  for (const json::value& value : books.at("domains").as_array()) {
    const json::object& domain = value.as_object();
    if (domain.at("kind").as_string() == "root") continue;
    const json::value* vm = domain.if_contains("vm_pid");
    all.push_back({vm != nullptr ? "shim" : std::string(domain.at("name").as_string()),
                   domain.at("pid").to_number<pid_t>()});
    if (vm != nullptr) all.push_back({"vm", vm->to_number<pid_t>()});
  }
  return all;
}

}  // namespace cede::bench
