// SPDX-License-Identifier: Apache-2.0
#include "tests/e2e/running_system.h"

#include <fmt/core.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>

#include <fstream>
#include <functional>
#include <iterator>
#include <stdexcept>

#include "vmm/cli/demo/leftovers.h"
#include "vmm/supervisor/control_client.h"
#include "vmm/supervisor/runtime_dir.h"

namespace cede::test {
namespace {

namespace fs = std::filesystem;

cli::ToolResult cede(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), CEDE_BINARY);
  return cli::run_tool(arguments);
}

// Short, since paths of sockets are made of it. Another build's test is another.
std::string name_of_this_test() {
  const auto* test = testing::UnitTest::GetInstance()->current_test_info();
  const std::string whole =
      fmt::format("{} {} {}", CEDE_BINARY, test->test_suite_name(), test->name());
  return fmt::format("e2e-{:08x}", std::hash<std::string>{}(whole)&0xffff'ffff);
}

}  // namespace

RunningSystem::RunningSystem() : name_(name_of_this_test()) {
  std::string pattern = (fs::temp_directory_path() / "cede-e2e-XXXXXX").string();
  EXPECT_NE(::mkdtemp(pattern.data()), nullptr);
  directory_ = pattern;
  (void)cede({"down", name_});
}

RunningSystem::~RunningSystem() {
  (void)cede({"down", name_});
  if (!testing::Test::HasFailure()) fs::remove_all(directory_);
}

void RunningSystem::describe(const std::string& text) const {
  std::ofstream(file("system.toml")) << text;
}

void RunningSystem::up() const {
  const auto result = try_up();
  ASSERT_EQ(result.exit_status, 0) << result.output;
}

cli::ToolResult RunningSystem::try_up() const {
  return cede({"up", file("system.toml").string()});
}

void RunningSystem::connect(const std::string& client, const std::string& device) const {
  const auto result = cede({"connect", name_, client, device});
  EXPECT_EQ(result.exit_status, 0) << result.output;
}

bool RunningSystem::down(const std::vector<std::string>& interfaces) const {
  const auto result = cede({"down", name_});
  EXPECT_EQ(result.exit_status, 0) << result.output;
  for (const std::string& leftover : cli::find_leftovers(name_, {}, interfaces)) {
    ADD_FAILURE() << "left behind: " << leftover;
  }
  return result.exit_status == 0;
}

boost::json::object RunningSystem::ledger() const {
  return supervisor::ControlClient(name_).ask({{"op", "ls"}});
}

boost::json::object RunningSystem::stats() const {
  return supervisor::ControlClient(name_).ask({{"op", "stats"}});
}

boost::json::object RunningSystem::session(const std::string& client,
                                           const std::string& device) const {
  const boost::json::object now = ledger();
  for (const auto& session : now.at("sessions").as_array()) {
    if (session.at("client").as_string() == client && session.at("device").as_string() == device) {
      return session.as_object();
    }
  }
  ADD_FAILURE() << "no session of " << client << '/' << device;
  return {};
}

boost::json::object RunningSystem::domain(const std::string& domain) const {
  const boost::json::object now = ledger();
  for (const auto& row : now.at("domains").as_array()) {
    if (row.at("name").as_string() == domain) return row.as_object();
  }
  ADD_FAILURE() << "no domain " << domain;
  return {};
}

std::string RunningSystem::log(const std::string& domain) const {
  std::ifstream file(supervisor::log_directory(name_) / (domain + ".log"));
  return {std::istreambuf_iterator<char>(file), {}};
}

void RunningSystem::kill_domain(const std::string& domain, const char* process) {
  const auto pid = this->domain(domain).at(process).to_number<pid_t>();
  ASSERT_GT(pid, 0) << domain << " does not run";
  expect_new_life(domain);
  ASSERT_EQ(::kill(pid, SIGKILL), 0);
}

void RunningSystem::expect_new_life(const std::string& domain) {
  lives_[domain] = this->domain(domain).at("lives").to_number<std::int64_t>() + 1;
}

void RunningSystem::kill_supervisor() const {
  const auto victim = ledger().at("pid").to_number<pid_t>();
  ASSERT_EQ(::kill(victim, SIGKILL), 0);
  EXPECT_TRUE(eventually([&] {
    try {
      return ledger().at("pid").to_number<pid_t>() != victim;
    } catch (const std::runtime_error&) {
      return false;  // it was asked just before it died
    }
  }));
}

void RunningSystem::kill_keeper() const {
  ASSERT_EQ(::kill(ledger().at("keeper_pid").to_number<pid_t>(), SIGKILL), 0);
}

void RunningSystem::kill_broker() {
  const boost::json::object now = ledger();
  for (const auto& row : now.at("domains").as_array()) {
    lives_[std::string(row.at("name").as_string())] = row.at("lives").to_number<std::int64_t>() + 1;
  }
  ASSERT_EQ(::kill(now.at("broker_pid").to_number<pid_t>(), SIGKILL), 0);
}

boost::json::object RunningSystem::restart(const std::string& driver) const {
  const auto result = cede({"restart", "--json", name_, driver});
  EXPECT_EQ(result.exit_status, 0) << result.output;
  return result.exit_status == 0 ? boost::json::parse(result.output).as_object()
                                 : boost::json::object{};
}

void RunningSystem::expect_whole_again(std::chrono::seconds patience) const {
  EXPECT_TRUE(eventually([this] { return is_whole(); }, patience))
      << boost::json::serialize(ledger());
  expect_balanced();
}

bool RunningSystem::is_whole() const try {
  const boost::json::object now = ledger();
  for (const auto& row : now.at("domains").as_array()) {
    const auto killed = lives_.find(std::string(row.at("name").as_string()));
    if (killed != lives_.end() && row.at("lives").to_number<std::int64_t>() < killed->second) {
      return false;
    }
  }
  for (const auto& session : now.at("sessions").as_array()) {
    if (session.at("state").as_string() != "connected") return false;
  }
  return now.at("leaving").as_array().empty();
} catch (const std::runtime_error&) {
  return false;  // there is nobody to answer at the moment
}

void RunningSystem::expect_balanced() const {
  const boost::json::object now = ledger();
  EXPECT_TRUE(now.at("totals").at("balanced").as_bool()) << boost::json::serialize(now);
}

}  // namespace cede::test
