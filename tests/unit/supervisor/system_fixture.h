// SPDX-License-Identifier: Apache-2.0
// A system of the real programs, made by the `cede` command: one driver with the volumes a and b,
// and the clients alice and bob with a device each. When it ends, nothing may be left of it.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <boost/json.hpp>
#include <chrono>
#include <fstream>
#include <thread>
#include <vector>

#include "tests/support/eventually.h"
#include "tests/unit/supervisor/support.h"
#include "vmm/supervisor/cgroup.h"
#include "vmm/supervisor/cgroup_controller.h"
#include "vmm/supervisor/runtime_dir.h"

namespace cede::supervisor {

namespace fs = std::filesystem;
namespace json = boost::json;

struct Outcome {
  int code = -1;
  std::string text;  // standard output and standard error
};

inline Outcome shell(const std::string& command) {
  Outcome outcome;
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  std::array<char, 4096> buffer;
  for (std::size_t got = 0; (got = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
    outcome.text.append(buffer.data(), got);
  }
  outcome.code = WEXITSTATUS(::pclose(pipe));
  return outcome;
}

inline Outcome cede(const std::string& arguments) {
  return shell(CEDE_CLI " " + arguments);
}

inline bool is_alive(pid_t pid) {
  std::ifstream stat(fmt::format("/proc/{}/stat", pid));
  std::string id, name, state;
  return stat >> id >> name >> state && state != "Z";
}

class SystemTest : public testing::Test {
 protected:
  SystemTest() {
    ::setenv("CEDE_RUNTIME_DIR", root_.c_str(), 1);
    (void)directory_.file("disk.img", 64 << 20);
    describe({});
  }
  ~SystemTest() override {
    if (fs::exists(root_ / "demo.lock")) {
      ADD_FAILURE() << "a system is left over: " << logs();
      (void)cede("down demo");
    }
    EXPECT_TRUE(!fs::exists(root_) || fs::is_empty(root_));
    for (const char* controller : {"memory", "cpu"}) expect_no_cgroup(controller);
    for (const pid_t pid : pids_) EXPECT_TRUE(eventually([&] { return !is_alive(pid); })) << pid;
    ::unsetenv("CEDE_RUNTIME_DIR");
  }

  // What a test changes of the description: values, and text that is put in.
  struct Description {
    std::string system{};  // at the beginning
    std::string disk = "disk.img";
    std::string driver{};
    std::string volume_a = "offset = \"1M\"\nsize = \"16M\"";
    std::string volume_b = "offset = \"32M\"\nsize = \"16M\"";
    std::string region = "4M";
    std::string alices_device{};
    std::string bob{};          // his domain
    std::string bobs_device{};  // and what follows it
  };
  void describe(const Description& parts) const {
    std::ofstream(description_) << fmt::format(
        R"(name = "demo"
budget = "16M"
{system}
[[driver]]
name = "disk0"
kind = "block"
disk = "{disk}"
{driver}
[[driver.volume]]
name = "a"
{volume_a}
[[driver.volume]]
name = "b"
{volume_b}
[[client]]
name = "alice"
account = "8M"
[[client.device]]
name = "vda"
driver = "disk0"
volume = "a"
region = "{region}"
{alices_device}
[[client]]
name = "bob"
account = "8M"
{bob}
[[client.device]]
name = "vda"
driver = "disk0"
volume = "b"
region = "{region}"
{bobs_device}
)",
        fmt::arg("system", parts.system), fmt::arg("disk", parts.disk),
        fmt::arg("driver", parts.driver), fmt::arg("volume_a", parts.volume_a),
        fmt::arg("volume_b", parts.volume_b), fmt::arg("region", parts.region),
        fmt::arg("alices_device", parts.alices_device), fmt::arg("bob", parts.bob),
        fmt::arg("bobs_device", parts.bobs_device));
  }

  void up() {
    const Outcome outcome = cede("up " + description_.string());
    ASSERT_EQ(outcome.code, 0) << outcome.text << logs();
    remember_processes();
  }
  void down() {
    const Outcome outcome = cede("down demo");
    EXPECT_EQ(outcome.code, 0) << outcome.text << logs();
    EXPECT_NE(outcome.text.find("every page is home"), std::string::npos) << outcome.text;
    for (const pid_t pid : pids_) EXPECT_FALSE(is_alive(pid)) << pid;
  }

  static json::object ledger() {
    const Outcome outcome = cede("ls demo --json");
    EXPECT_EQ(outcome.code, 0) << outcome.text;
    json::error_code error;
    json::value value = json::parse(outcome.text, error);
    if (!value.is_object()) return {};
    return std::move(value.get_object());
  }
  static json::object part(const char* list, const char* key, std::string_view name) {
    const json::object all = ledger();
    const json::value* parts = all.if_contains(list);
    if (parts == nullptr) return {};
    for (const json::value& value : parts->as_array()) {
      if (std::string_view(value.as_object().at(key).as_string()) == name) return value.as_object();
    }
    return {};
  }
  static json::object domain(std::string_view name) { return part("domains", "name", name); }
  static json::object session(std::string_view client) {
    return part("sessions", "client", client);
  }
  static pid_t pid_of(std::string_view name) { return domain(name).at("pid").to_number<pid_t>(); }
  static bool is_connected(std::string_view client) {
    return session(client).at("state") == "connected";
  }
  static bool has_lived(std::string_view name, int lives) {
    return domain(name).at("lives") == lives;
  }
  static bool is_balanced() { return ledger().at("totals").as_object().at("balanced").as_bool(); }

  // The socket of a client's device.
  [[nodiscard]] fs::path vda(const char* client) const {
    return root_ / "demo" / client / "vda.sock";
  }

  void remember_processes() {
    const json::object books = ledger();
    for (const json::value& value : books.at("domains").as_array()) {
      pids_.push_back(value.as_object().at("pid").to_number<pid_t>());
    }
  }

  [[nodiscard]] std::string logs() const {
    std::string text;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(root_ / "demo" / "log", error)) {
      std::ifstream file(entry.path());
      text += entry.path().string() + ":\n" +
              std::string{std::istreambuf_iterator<char>(file), {}} + '\n';
    }
    return text;
  }
  static fs::path cgroup() {
    const auto controller = find_controller("memory");
    return controller ? controller->mount / cgroup_name("demo") : fs::path("/none");
  }
  static void expect_no_cgroup(std::string_view controller_name) {
    const auto controller = find_controller(controller_name);
    if (!controller) return;
    for (const auto& entry : fs::directory_iterator(controller->mount)) {
      EXPECT_FALSE(entry.path().filename().string().starts_with(cgroup_name("demo"))) << entry;
    }
  }

  TemporaryDirectory directory_;
  fs::path root_ = directory_.path() / "run";
  fs::path description_ = directory_.path() / "demo.toml";
  std::vector<pid_t> pids_;
};

}  // namespace cede::supervisor
