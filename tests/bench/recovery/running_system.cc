// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/recovery/running_system.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cstdlib>
#include <fstream>
#include <stdexcept>

#include "vmm/process/process.h"
#include "vmm/supervisor/control_client.h"
#include "vmm/supervisor/programs.h"

namespace cede::bench {
namespace {

namespace json = boost::json;

constexpr const char* kName = "bench";
constexpr std::chrono::seconds kPatience{180};  // two boots of a VM under TCG
constexpr std::uint32_t kBytes = 4096;

// A run of the `cede` command, waited for. What it prints is shown where it fails.
void cede(std::vector<std::string> words) {
  const Fd output(::memfd_create("output", MFD_CLOEXEC));
  words.insert(words.begin(), supervisor::find_program("cede", "vmm/cli").string());
  Launch launch;
  launch.arguments = words;
  launch.output = output.get();
  if (Process::start(launch).wait(kPatience) == 0) return;
  std::string text(4096, '\0');
  const ssize_t got = ::pread(output.get(), text.data(), text.size(), 0);
  text.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
  throw std::runtime_error(fmt::format("'cede {}' has failed: {}", words[1], text));
}

json::object driver_row() {
  const json::object ledger = supervisor::ControlClient(kName).ask({{"op", "ls"}});
  for (const json::value& value : ledger.at("domains").as_array()) {
    if (value.at("name") == "disk0") return value.as_object();
  }
  throw std::runtime_error("the system has no driver");
}

}  // namespace

DriverKind process_driver() {
  return {"process", "kind = \"block\"\n"};
}

DriverKind vm_driver(const std::filesystem::path& images) {
  return {"vm", fmt::format("kind = \"vm\"\n[driver.vm]\nkernel = \"{0}/vmlinuz\"\n"
                            "initrd = \"{0}/driver-initramfs.cpio.gz\"\n",
                            std::filesystem::absolute(images).string())};
}

RunningSystem::RunningSystem(const DriverKind& kind) {
  // Systems of the user's own are none of ours.
  ::setenv("CEDE_RUNTIME_DIR", directory_.path("run").c_str(), 1);  // NOLINT(concurrency-mt-unsafe)
  (void)directory_.file("disk.img", 16 << 20);
  std::ofstream(directory_.path("system.toml")) << fmt::format(
      "name = \"{}\"\nbudget = \"16M\"\n"
      "[[driver]]\nname = \"disk0\"\ndisk = \"disk.img\"\n{}"
      "[[driver.volume]]\nname = \"a\"\noffset = 0\nsize = \"16M\"\n"
      "[[client]]\nname = \"alice\"\naccount = \"8M\"\n"
      "[[client.device]]\nname = \"vda\"\ndriver = \"disk0\"\nvolume = \"a\"\nregion = \"4M\"\n",
      kName, kind.lines);
  cede({"up", directory_.path("system.toml")});
  guest_.emplace(test::VhostUserClient::Options{
      .socket_path = directory_.path("run") + "/bench/alice/vda.sock",
      .data_bytes = 1U << 20,
      .patience = kPatience});
  guest_->start();
}

RunningSystem::~RunningSystem() {
  guest_.reset();
  try {
    cede({"down", kName});
  } catch (const std::exception& error) {
    fmt::print(stderr, "cede-bench: {}\n", error.what());
  }
}

RunningSystem::Duration RunningSystem::read() {
  const auto begin = std::chrono::steady_clock::now();
  if (guest_->execute({.bytes = kBytes}) != VIRTIO_BLK_S_OK) {
    throw std::runtime_error("a read has failed");
  }
  return std::chrono::steady_clock::now() - begin;
}

void RunningSystem::kill_driver() {
  const json::object driver = driver_row();
  const char* victim = driver.contains("vm_pid") ? "vm_pid" : "pid";
  const auto pid = driver.at(victim).to_number<pid_t>();
  const Fd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!process || ::kill(pid, SIGKILL) != 0) throw std::runtime_error("the driver does not run");
  pollfd ended{.fd = process.get(), .events = POLLIN, .revents = 0};
  (void)::poll(&ended, 1, -1);
}

void RunningSystem::begin_restart() {
  (void)supervisor::ControlClient(kName).ask({{"op", "restart"}, {"driver", "disk0"}});
}

bool RunningSystem::restarting() {
  return driver_row().at("restart").at("under_way").as_bool();
}

}  // namespace cede::bench
