// SPDX-License-Identifier: Apache-2.0
#include "vmm/cli/demo/demo.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <stdlib.h>
#include <unistd.h>

#include <array>
#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>

#include "protocols/posix/fd.h"
#include "vmm/cli/demo/guest_work.h"
#include "vmm/cli/demo/host_check.h"
#include "vmm/cli/demo/leftovers.h"
#include "vmm/cli/demo/network_show.h"
#include "vmm/cli/demo/outage_show.h"
#include "vmm/cli/demo/stage.h"
#include "vmm/qemu/guest_vm.h"
#include "vmm/supervisor/control_client.h"

namespace cede::cli {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;

constexpr std::uint64_t kMiB = 1 << 20;
constexpr std::uint64_t kVolumeBytes = 64 * kMiB;
const std::string kSystem = "demo";
constexpr std::chrono::milliseconds kAuditPoll{20};
constexpr int kAuditPolls = 500;

struct Client {
  std::string name;
  std::uint64_t offset;  // of its volume on the disk, bytes
  std::string mac;
  std::string address;
};
const std::array<Client, 2> kClients{
    {{"alice", kMiB, "52:54:00:77:00:02", "10.77.0.2"},
     {"bob", kMiB + kVolumeBytes, "52:54:00:77:00:03", "10.77.0.3"}}};
constexpr const char* kDriver = "disk0";
constexpr const char* kKernel = "vmlinuz";
constexpr const char* kInitrd = "initramfs.cpio.gz";
constexpr const char* kDriverInitrd = "driver-initramfs.cpio.gz";
constexpr std::array<const char*, 2> kDevices{"vda", "eth0"};

// The demo's own copy of everything: a scratch directory that goes when all is well.
class Demo {
 public:
  explicit Demo(const DemoOptions& options) : options_(options) {}

  int run() {
    stage_.set_steps(10);
    const bool through = prepare() && start_system() && connect_clients() && show_audit() &&
                         boot_guests() && work() && survive() && talk();
    stop();
    if (through) check_from_outside();
    const bool held = through && stage_.all_held();
    finish(held);
    return held ? 0 : 1;
  }

 private:
  bool fail(const std::string& why) {
    stage_.check(false, why);
    return false;
  }

  [[nodiscard]] bool in_vm() const { return options_.driver == "vm"; }
  [[nodiscard]] std::string path(const std::string& name) const { return scratch_ + "/" + name; }
  [[nodiscard]] static boost::json::object ledger() {
    return supervisor::ControlClient(kSystem).ask({{"op", "ls"}});
  }
  [[nodiscard]] static std::vector<pid_t> running_processes() {
    std::vector<pid_t> processes;
    const boost::json::object now = ledger();
    for (const auto& domain : now.at("domains").as_array()) {
      processes.push_back(domain.at("pid").to_number<pid_t>());
    }
    processes.push_back(now.at("broker_pid").to_number<pid_t>());
    return processes;
  }
  [[nodiscard]] static std::string socket(const Client& client, const char* device) {
    const boost::json::object now = ledger();
    for (const auto& session : now.at("sessions").as_array()) {
      if (session.at("client").as_string() != client.name) continue;
      if (session.at("device").as_string() != device) continue;
      return std::string(session.at("socket").as_string());
    }
    return {};
  }

  bool prepare() {
    stage_.step("A disk image with two volumes, a switch, and a description of the system");
    for (const char* file : {kKernel, kInitrd}) {
      if (!fs::exists(options_.images + "/" + file)) {
        return fail(fmt::format("{}/{} is missing; make it with images/build --out {}",
                                options_.images, file, options_.images));
      }
    }
    if (in_vm() && !fs::exists(options_.images + "/" + kDriverInitrd)) {
      return fail(fmt::format("{}/{} is missing; make it with images/driver --images {}",
                              options_.images, kDriverInitrd, options_.images));
    }
    std::string pattern = options_.scratch.empty() ? "/tmp/cede-demo-XXXXXX" : options_.scratch;
    if (options_.scratch.empty()) {
      if (::mkdtemp(pattern.data()) == nullptr) return fail("cannot make a directory in /tmp");
    } else {
      fs::create_directories(pattern);
    }
    scratch_ = pattern;

    const Fd disk(::open(path("disk.img").c_str(), O_CREAT | O_RDWR | O_CLOEXEC | O_TRUNC, 0600));
    if (!disk || ::ftruncate(disk.get(), static_cast<off_t>(2 * kMiB + 2 * kVolumeBytes)) != 0) {
      return fail("cannot make the disk image in " + scratch_);
    }
    std::ofstream(path("system.toml")) << description();
    stage_.say("disk and description are in " + scratch_);
    return stage_.run_cede({"check", path("system.toml")}) || fail("the description is not valid");
  }

  [[nodiscard]] std::string description() const {
    std::string text = fmt::format(
        "name = \"{}\"\nbudget = \"64M\"\n\n"
        "[[driver]]\nname = \"{}\"\nkind = \"{}\"\ndisk = \"disk.img\"\n",
        kSystem, kDriver, in_vm() ? "vm" : "block");
    if (in_vm()) {
      const fs::path images = fs::absolute(options_.images);
      text += fmt::format("  [driver.vm]\n  kernel = \"{}\"\n  initrd = \"{}\"\n",
                          (images / kKernel).string(), (images / kDriverInitrd).string());
    }
    for (const Client& client : kClients) {
      text += fmt::format("  [[driver.volume]]\n  name = \"{}\"\n  offset = {}\n  size = {}\n",
                          client.name, client.offset, kVolumeBytes);
    }
    text += fmt::format(
        "\n[[driver]]\nname = \"switch0\"\nkind = \"net\"\n"
        "uplink = {{ tap = \"{}\", address = \"{}/24\" }}\n",
        NetworkShow::kUplink, NetworkShow::kHost);
    for (const Client& client : kClients) {
      text += fmt::format(
          "\n[[client]]\nname = \"{0}\"\naccount = \"16M\"\naudit = true\n"
          "  [[client.device]]\n  name = \"vda\"\n  driver = \"{2}\"\n  volume = \"{0}\"\n"
          "  region = \"8M\"\n  connect = false\n"
          "  [[client.device]]\n  name = \"eth0\"\n  driver = \"switch0\"\n  mac = \"{1}\"\n"
          "  connect = false\n",
          client.name, client.mac, kDriver);
    }
    return text;
  }

  bool start_system() {
    stage_.step(fmt::format("The broker, a block driver domain{}, a net driver domain, two clients",
                            in_vm() ? " that is a virtual machine" : ""));
    if (!stage_.run_cede({"up", path("system.toml")})) return fail("the system does not start");
    system_runs_ = true;
    stage_.say("the ledger before: every page is in its client's account");
    return stage_.run_cede({"ls", kSystem});
  }

  bool connect_clients() {
    stage_.step("Each client gives up pages of its own for its volume and its network port");
    for (const Client& client : kClients) {
      for (const char* device : kDevices) {
        if (!stage_.run_cede({"connect", kSystem, client.name, device})) {
          return fail(fmt::format("{} does not get its {}", client.name, device));
        }
      }
    }
    stage_.say("the ledger now: those pages are the sessions', no longer the clients'");
    return stage_.run_cede({"ls", kSystem});
  }

  // A frontend audits right after it was connected; its report may be on the way.
  [[nodiscard]] static boost::json::object ledger_with_audits() {
    for (int i = 0;; ++i) {
      boost::json::object now = ledger();
      std::size_t reports = 0;
      for (const auto& domain : now.at("domains").as_array()) {
        const auto* audit = domain.as_object().if_contains("audit");
        if (audit != nullptr && !audit->as_array().empty()) ++reports;
      }
      if (reports == kClients.size() || i == kAuditPolls) return now;
      std::this_thread::sleep_for(kAuditPoll);
    }
  }

  // What the frontends found when they tried, with their own descriptor and mapping.
  bool show_audit() {
    stage_.step("Each client's frontend really tries to take its pages back");
    const boost::json::object now = ledger_with_audits();
    for (const auto& domain : now.at("domains").as_array()) {
      const auto* audit = domain.as_object().if_contains("audit");
      if (audit == nullptr) continue;
      const std::string name(domain.at("name").as_string());
      bool all_refused = !audit->as_array().empty();
      for (const auto& report : audit->as_array()) {
        const std::string label = name + '/' + std::string(report.at("device").as_string());
        for (const auto& attempt : report.at("attempts").as_array()) {
          const bool refused = attempt.at("refused").as_bool();
          all_refused = all_refused && refused;
          stage_.say(fmt::format(
              "{:10} {:34} {}", label, std::string_view(attempt.at("attempt").as_string()),
              refused ? std::string_view(attempt.at("errno").as_string()) : "SUCCEEDED"));
        }
      }
      stage_.check(all_refused, name + " cannot take a single page back");
    }
    return true;
  }

  bool boot_guests() {
    stage_.step("Two stock QEMU guests boot the distribution's cloud kernel");
    const qemu::Accelerator accelerator = qemu::best_accelerator();
    for (std::size_t i = 0; i < kClients.size(); ++i) {
      qemu::GuestOptions guest;
      guest.name = kClients[i].name;
      guest.kernel = options_.images + "/" + kKernel;
      guest.initrd = options_.images + "/" + kInitrd;
      guest.disks = {{socket(kClients[i], "vda"), 1}};
      guest.nics = {{socket(kClients[i], "eth0"), kClients[i].mac}};
      guest.run_directory = path(kClients[i].name);
      guest.accelerator = accelerator;
      std::string problem;
      auto started = qemu::GuestVm::start(guest, &problem);
      if (!started) return fail(fmt::format("{}: {}", kClients[i].name, problem));
      guests_[i].emplace(std::move(*started));
    }
    for (std::size_t i = 0; i < kClients.size(); ++i) {
      if (guests_[i]->wait_ready(seconds(120)) != Status::Ok) {
        return fail(fmt::format("{}'s guest does not boot: {}", kClients[i].name,
                                guests_[i]->last_words()));
      }
      stage_.say(fmt::format("{}'s guest is up ({}, virtio-blk and virtio-net over vhost-user)",
                             kClients[i].name,
                             accelerator == qemu::Accelerator::Kvm ? "KVM" : "TCG"));
    }
    return true;
  }

  // Task by task, both guests at the same time.
  bool work() {
    stage_.step("Both guests use their disks at the same time");
    for (const GuestTask& task : guest_tasks("/dev/vda")) {
      for (auto& guest : guests_) {
        if (guest->submit(task.command) != Status::Ok) return fail("a guest takes no commands");
      }
      bool both = true;
      std::string trouble;
      for (std::size_t i = 0; i < kClients.size(); ++i) {
        const auto result = guests_[i]->wait(seconds(300));
        if (result && result->exit_status == 0) continue;
        both = false;
        trouble += fmt::format("\n{}: {}", kClients[i].name,
                               result ? result->output : std::string(to_string(result.status())));
      }
      stage_.check(both, "each guest " + task.what + trouble);
      if (!both) return false;
    }
    return true;
  }

  bool survive() {
    stage_.step("The disk's driver is killed while both guests write");
    OutageShow show(stage_, kSystem, kDriver,
                    {{{kClients[0].name, *guests_[0]}, {kClients[1].name, *guests_[1]}}});
    return show.run();
  }

  bool talk() {
    stage_.step("The guests talk to each other and to the host, and one lies about its address");
    NetworkShow show(stage_, kSystem, {kClients[0].name, *guests_[0], kClients[0].address},
                     {kClients[1].name, *guests_[1], kClients[1].address});
    if (!show.run()) return false;
    stage_.say("what each client did, and how long its operations took");
    if (!stage_.run_cede({"top", kSystem, "--total"})) return fail("no figures");
    stage_.say("the ledger during the sessions");
    return stage_.run_cede({"ls", kSystem});
  }

  void stop() {
    stage_.step("Shutdown: every page goes home");
    for (std::size_t i = 0; i < kClients.size(); ++i) {
      if (!guests_[i]) continue;
      if (guests_[i]->power_off(seconds(30)) != Status::Ok) guests_[i]->kill();
      guests_[i].reset();
    }
    if (!system_runs_) return;
    for (const Client& client : kClients) {
      for (const char* device : kDevices) {
        stage_.check(stage_.run_cede({"disconnect", kSystem, client.name, device}),
                     fmt::format("{}'s session of {} is closed", client.name, device));
      }
    }
    stage_.say("the ledger after: every page is back in its client's account");
    (void)stage_.run_cede({"ls", kSystem});
    const std::vector<pid_t> processes = running_processes();
    stage_.check(stage_.run_cede({"down", kSystem}), "the broker's books balance at the end");
    const auto leftovers = find_leftovers(kSystem, processes, {NetworkShow::kUplink});
    for (const std::string& leftover : leftovers) stage_.say("left behind: " + leftover);
    stage_.check(leftovers.empty(), "no process, socket, cgroup, shared memory or TAP is left");
  }

  void check_from_outside() {
    stage_.step("The host looks at both volumes from outside");
    for (const Client& client : kClients) {
      const HostVerdict volume = check_file_system(path("disk.img"), client.offset);
      stage_.check(volume.holds, fmt::format("{}: e2fsck: {}", client.name, volume.words));
      const HostVerdict files =
          check_files(path("disk.img"), client.offset, kGuestFiles, path(client.name + "-files"));
      stage_.check(files.holds, fmt::format("{}: {}", client.name, files.words));
    }
  }

  void finish(bool held) {
    if (held) {
      fmt::print("\n\033[1;32mEverything held.\033[0m\n");
      if (!options_.keep && options_.scratch.empty()) fs::remove_all(scratch_);
    } else {
      fmt::print("\n\033[1;31mNot everything held.\033[0m{}\n",
                 scratch_.empty() ? "" : " The disk and the guests' logs are in " + scratch_);
    }
  }

  DemoOptions options_;
  Stage stage_;
  std::string scratch_;
  bool system_runs_ = false;
  std::array<std::optional<qemu::GuestVm>, kClients.size()> guests_;
};

}  // namespace

int demo(const DemoOptions& options) {
  return Demo(options).run();
}

}  // namespace cede::cli
