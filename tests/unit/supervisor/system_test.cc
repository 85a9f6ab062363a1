// SPDX-License-Identifier: Apache-2.0
// Whole systems of the real programs, started, shown, harmed and stopped by the `cede` command.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <boost/json.hpp>
#include <chrono>
#include <fstream>
#include <functional>
#include <thread>
#include <vector>

#include "tests/unit/supervisor/support.h"
#include "vmm/supervisor/cgroup.h"
#include "vmm/supervisor/runtime_dir.h"

namespace cede::supervisor {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

struct Outcome {
  int code = -1;
  std::string text;  // standard output and standard error
};

Outcome cede(const std::string& arguments) {
  Outcome outcome;
  FILE* pipe = ::popen((CEDE_CLI " " + arguments + " 2>&1").c_str(), "r");
  std::array<char, 4096> buffer;
  for (std::size_t got = 0; (got = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
    outcome.text.append(buffer.data(), got);
  }
  outcome.code = WEXITSTATUS(::pclose(pipe));
  return outcome;
}

bool is_alive(pid_t pid) {
  std::ifstream stat(fmt::format("/proc/{}/stat", pid));
  std::string id, name, state;
  return stat >> id >> name >> state && state != "Z";
}

bool eventually(const std::function<bool()>& done) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!done()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

class SystemTest : public testing::Test {
 protected:
  SystemTest() {
    ::setenv("CEDE_RUNTIME_DIR", root_.c_str(), 1);
    (void)directory_.file("disk.img", 64 << 20);
    describe();
  }
  ~SystemTest() override {
    if (fs::exists(root_ / "demo.lock")) {
      ADD_FAILURE() << "a system is left over: " << logs();
      (void)cede("down demo");
    }
    EXPECT_TRUE(!fs::exists(root_) || fs::is_empty(root_));
    EXPECT_FALSE(fs::exists(cgroup())) << cgroup();
    for (const pid_t pid : pids_) EXPECT_TRUE(eventually([&] { return !is_alive(pid); })) << pid;
    ::unsetenv("CEDE_RUNTIME_DIR");
  }

  // `system` is put at the beginning, the others into bob's device, his domain and the volume b.
  void describe(const std::string& system = "", const std::string& device = "",
                const std::string& client = "", const std::string& volume_b = "") {
    std::ofstream file(description_);
    file << "name = \"demo\"\nbudget = \"16M\"\n"
         << system << R"(
[[driver]]
name = "disk0"
kind = "block"
disk = "disk.img"
  [[driver.volume]]
  name = "a"
  offset = "1M"
  size = "16M"
  [[driver.volume]]
  name = "b"
)" << (volume_b.empty() ? "offset = \"32M\"\nsize = \"16M\"\n" : volume_b)
         << R"(
[[client]]
name = "alice"
account = "8M"
  [[client.device]]
  name = "vda"
  driver = "disk0"
  volume = "a"
  region = "4M"
[[client]]
name = "bob"
account = "8M"
)" << client
         << R"(
  [[client.device]]
  name = "vda"
  driver = "disk0"
  volume = "b"
  region = "4M"
)" << device;
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
    const auto controller = find_memory_controller();
    return controller ? controller->mount / cgroup_name("demo") : fs::path("/none");
  }

  TemporaryDirectory directory_;
  fs::path root_ = directory_.path() / "run";
  fs::path description_ = directory_.path() / "demo.toml";
  std::vector<pid_t> pids_;
};

TEST_F(SystemTest, ComesUpConnectedAndBalancedAndLeavesNothing) {
  up();
  const json::object books = ledger();
  EXPECT_EQ(json::serialize(books.at("totals")),
            R"({"budget":4096,"accounts":2048,"escrow":0,"in_sessions":2048,"sum":4096,)"
            R"("balanced":true})");
  EXPECT_TRUE(is_connected("alice"));
  EXPECT_TRUE(is_connected("bob"));
  EXPECT_TRUE(fs::exists(root_ / "demo/alice/vda.sock"));
  EXPECT_NE(domain("alice").at("uid"), domain("bob").at("uid"));
  EXPECT_NE(cede("ls").text.find("balanced"), std::string::npos);
  EXPECT_NE(cede("qemu-args alice").text.find("vhost-user-blk-pci,chardev=vda"), std::string::npos);
  const Outcome top = cede("top --once --json --interval 0.1");
  EXPECT_NE(top.text.find(R"("session":"bob/vda")"), std::string::npos) << top.text;
  down();
}

TEST_F(SystemTest, ASystemRunsOnceAndItsDiskServesOneSystem) {
  up();
  Outcome again = cede("up " + description_.string());
  EXPECT_EQ(again.code, 1);
  EXPECT_EQ(again.text,
            "cede: system 'demo' runs already; see: cede ls demo; stop it with: cede down demo\n");
  const std::string other = directory_.path() / "other.toml";
  std::ifstream in(description_);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  text.replace(text.find("demo"), 4, "oddo");
  std::ofstream(other) << text;
  again = cede("up " + other);
  EXPECT_EQ(again.code, 2);
  EXPECT_NE(again.text.find("is locked by another process"), std::string::npos) << again.text;
  down();
}

TEST_F(SystemTest, ADeviceGoesAndComesBackWhileTheOtherStays) {
  up();
  const json::object alice = session("alice");
  Outcome outcome = cede("disconnect demo bob vda");
  EXPECT_EQ(outcome.code, 0) << outcome.text;
  EXPECT_EQ(session("bob").at("state"), "disconnected");
  EXPECT_EQ(domain("bob").at("account"), 2048);
  EXPECT_TRUE(is_balanced());
  outcome = cede("connect demo bob vda");
  EXPECT_EQ(outcome.code, 0) << outcome.text;
  EXPECT_TRUE(is_connected("bob"));
  EXPECT_EQ(domain("bob").at("account"), 1024);
  EXPECT_EQ(session("alice").at("generation"), alice.at("generation"));
  outcome = cede("connect demo bob vdz");
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.text, "cede: there is no device 'vdz' of 'bob'\n");
  down();
}

TEST_F(SystemTest, ADeviceCanWaitForItsFirstConnect) {
  describe("", "  connect = false\n");
  up();
  EXPECT_EQ(session("bob").at("state"), "disconnected");
  EXPECT_EQ(cede("connect bob vda").code, 0);
  EXPECT_TRUE(is_connected("bob"));
  down();
}

TEST_F(SystemTest, AKilledFrontendLivesAgainAndTheOtherClientDoesNotNotice) {
  up();
  const json::object alice = session("alice");
  for (int life = 2; life <= 3; ++life) {
    ::kill(pid_of("bob"), SIGKILL);
    EXPECT_TRUE(eventually([&] { return has_lived("bob", life) && is_connected("bob"); }))
        << logs();
  }
  EXPECT_EQ(session("alice").at("generation"), alice.at("generation"));
  EXPECT_TRUE(is_balanced());
  down();
}

TEST_F(SystemTest, AKilledDriverLivesAgainAndItsClientsReconnect) {
  up();
  for (int life = 2; life <= 3; ++life) {
    ::kill(pid_of("disk0"), SIGKILL);
    EXPECT_TRUE(eventually([&] {
      return has_lived("disk0", life) && is_connected("alice") && is_connected("bob");
    })) << logs();
  }
  EXPECT_TRUE(has_lived("alice", 1));
  EXPECT_TRUE(is_balanced());
  down();
}

TEST_F(SystemTest, ADriverThatDoesNotLetGoIsKilledAndThePagesComeHome) {
  up();
  ::kill(pid_of("disk0"), SIGSTOP);
  const Outcome outcome = cede("disconnect demo bob vda");
  EXPECT_EQ(outcome.code, 0) << outcome.text << logs();
  EXPECT_TRUE(eventually([&] { return has_lived("disk0", 2) && is_connected("alice"); })) << logs();
  EXPECT_TRUE(eventually([&] { return domain("bob").at("account") == 2048; })) << logs();
  EXPECT_TRUE(is_balanced());
  down();
}

TEST_F(SystemTest, WithTheSupervisorKilledNothingRunsAndTheNextUpCleansUp) {
  up();
  ::kill(pid_of("root"), SIGKILL);
  for (const pid_t pid : pids_) EXPECT_TRUE(eventually([&] { return !is_alive(pid); })) << pid;
  EXPECT_EQ(cede("ls demo").code, 1);
  up();
  EXPECT_TRUE(is_balanced());
  down();
}

TEST_F(SystemTest, WithTheSupervisorKilledDownCleansUp) {
  up();
  ::kill(pid_of("root"), SIGKILL);
  for (const pid_t pid : pids_) EXPECT_TRUE(eventually([&] { return !is_alive(pid); })) << pid;
  const Outcome outcome = cede("down");
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.text, "'demo' did not run; what a killed supervisor had left is removed\n");
}

TEST_F(SystemTest, WithTheBrokerKilledEverythingIsStopped) {
  up();
  std::ifstream children(fmt::format("/proc/{0}/task/{0}/children", pid_of("root")));
  pid_t broker = 0;  // the first child
  children >> broker;
  ::kill(broker, SIGKILL);
  EXPECT_TRUE(eventually([&] { return !fs::exists(root_ / "demo.lock"); }));
}

TEST_F(SystemTest, AStaticSystemIsSealed) {
  describe("static = true\n");
  up();
  EXPECT_EQ(ledger().at("static"), true);
  const Outcome outcome = cede("disconnect bob vda");
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.text,
            "cede: the system is static: a device that is disconnected could never come back\n");
  ::kill(pid_of("bob"), SIGKILL);
  EXPECT_TRUE(eventually([&] { return domain("bob").at("state") == "stopped"; }));
  EXPECT_TRUE(eventually([&] { return ledger().at("leaving").as_array().empty(); }));
  EXPECT_TRUE(is_connected("alice"));
  down();
}

TEST_F(SystemTest, AnAuditFromInsideTheClientFindsEveryRevocationRefused) {
  describe("", "", "audit = true\n");
  up();
  EXPECT_TRUE(eventually([&] { return !domain("bob").at("audit").as_array().empty(); })) << logs();
  const json::object bob = domain("bob");
  EXPECT_EQ(bob.at("audit").as_array().front().as_object().at("passed"), true)
      << json::serialize(bob);
  down();
}

TEST_F(SystemTest, ADriverThatCannotStartFailsTheStartWithItsOwnWords) {
  describe("", "", "", "");
  std::ifstream in(description_);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  const auto replace = [&](const std::string& from, const std::string& to) {
    text.replace(text.find(from), from.size(), to);
  };
  replace("offset = \"1M\"\n  size = \"16M\"", "partition = \"none-such\"");
  replace("offset = \"32M\"\nsize = \"16M\"", "partition = \"none-such-either\"");
  std::ofstream(description_) << text;
  const Outcome outcome = cede("up " + description_.string());
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.text.find("cede: 'disk0' ended while starting (exit 1): "), std::string::npos)
      << outcome.text;
}

TEST_F(SystemTest, InTheForegroundAnInterruptEndsItInOrder) {
  const fs::path output = directory_.path() / "out";
  const pid_t child = ::fork();
  if (child == 0) {
    FILE* file = std::freopen(output.c_str(), "w", stdout);
    ::execl(CEDE_CLI, CEDE_CLI, "up", "--foreground", description_.c_str(), nullptr);
    ::_exit(file == nullptr ? 1 : 127);
  }
  const auto said = [&] {
    std::ifstream in(output);
    return std::string{std::istreambuf_iterator<char>(in), {}};
  };
  EXPECT_TRUE(eventually([&] { return said().find("up; stop it with") != std::string::npos; }))
      << said() << logs();
  remember_processes();
  ::kill(child, SIGINT);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 0) << said();
  EXPECT_NE(said().find("4096 of 4096 pages are home"), std::string::npos) << said();
}

}  // namespace
}  // namespace cede::supervisor
