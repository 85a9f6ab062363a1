// SPDX-License-Identifier: Apache-2.0
// cede-attacker ATTACK DIRECTORY OPTIONS: stands in for the program that the supervisor meant to
// start, with that program's options; DIRECTORY has the pipes of a Stage.
#include <grp.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "protocols/posix/start_up.h"
#include "tests/attack/attack.h"
#include "tests/attack/client.h"
#include "tests/attack/driver.h"
#include "tests/attack/master.h"
#include "tests/attack/net_master.h"
#include "tests/attack/program_options.h"

namespace cede::attack {
namespace {

void become(uid_t uid, gid_t gid) {
  if (uid == 0) return;
  if (::setgroups(0, nullptr) != 0 || ::setresgid(gid, gid, gid) != 0 ||
      ::setresuid(uid, uid, uid) != 0) {
    throw std::runtime_error("cannot become the domain's user");
  }
}

// Until it is to turn, a client uses what is its own: its disk or port as fast as it goes, and its
// share of the processors.
template <class Role>
void behave_until_begun(Role& role) {
  std::vector<std::jthread> own_work;
  for (unsigned i = 0; i < std::thread::hardware_concurrency(); ++i) {
    own_work.emplace_back([](const std::stop_token& done) {
      while (!done.stop_requested()) {
      }
    });
  }
  role.behave_until_begun();
}

// With all that it has in its hands, until the arena ends it.
[[noreturn]] void stay() {
  while (true) ::pause();
}

void perform(const Attack& attack, Stage& stage, const ProgramOptions& options) {
  if (!options.disk_socket.empty()) {
    Master master(std::string(options.disk_socket), stage);
    behave_until_begun(master);
    attack.on_vhost_user(master);
    stay();
  }
  if (!options.port_socket.empty()) {
    NetMaster master(std::string(options.port_socket), stage);
    behave_until_begun(master);
    attack.on_vhost_user_net(master);
    stay();
  }
  Fd capability = inherited(options.capability, "--capability");
  if (attack.by_driver()) {
    Driver driver(std::move(capability), options, stage);
    driver.behave_until_begun();
    std::get<1>(attack.run)(driver);
    stay();
  } else {
    Client client(std::move(capability), stage);
    behave_until_begun(client);
    std::get<0>(attack.run)(client);
    stay();
  }
}

}  // namespace
}  // namespace cede::attack

int main(int argc, char** argv) {
  using namespace cede::attack;
  if (argc < 3) {
    std::fputs("usage: cede-attacker ATTACK DIRECTORY OPTIONS; started by cede-attack\n", stderr);
    return 2;
  }
  (void)cede::hold_stop_signals();
  try {
    const Attack& attack = find_attack(argv[1]);
    const ProgramOptions options(argc - 3, argv + 3);
    Stage stage(argv[2]);
    become(options.uid, options.gid);
    try {
      perform(attack, stage, options);
    } catch (const std::exception& error) {
      stage.gave_up(error.what());
    }
    stay();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "cede-attacker: %s\n", error.what());
    return 1;
  }
}
