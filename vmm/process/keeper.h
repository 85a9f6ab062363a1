// SPDX-License-Identifier: Apache-2.0
// A process that is started again when it is killed, and what outlives it until then.
//
// The keeper forks the kept process and waits. What was there before the fork, every life of the
// kept process has by inheritance; what comes later it leaves with the keeper, by name. Children
// that it starts with Launch::keeper are the keeper's: they outlive it, end with the keeper, and
// only the keeper can learn how they ended. The keeper has no policy, one thread, and no other
// work.
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "protocols/posix/fd.h"

namespace cede {

// The kept process's end. One thread. A keeper that is gone takes the kept process with it, so
// nothing here fails but for want of descriptors, by std::runtime_error.
class KeeperLink {
 public:
  using Store = std::map<std::string, Fd, std::less<>>;
  static constexpr std::size_t kMaxName = 63;

  // `strangers` are children that the keeper had before it was one.
  KeeperLink(Fd socket, Store store, std::vector<pid_t> strangers)
      : socket_(std::move(socket)), store_(std::move(store)), strangers_(std::move(strangers)) {}

  // Leaves a copy of `fd` for later lives, in the place of what had the name.
  void keep(std::string_view name, int fd);
  // What the last life that did so has left under the name; it stays for later ones. Empty if there
  // is nothing, or we have taken it already.
  [[nodiscard]] Fd take(std::string_view name);

  // How a child of the keeper's that has ended did so, as of waitpid(2). Frees its pid.
  [[nodiscard]] int reap(pid_t child);
  // Whether this process is a child of the keeper's, running or not reaped. If so it is the one
  // that we started, whose number nobody else can have got.
  [[nodiscard]] bool has_child(pid_t process) const;
  // All that lives of the kept process started. The kernel may leave one out while another ends.
  [[nodiscard]] std::vector<pid_t> children() const;

 private:
  Fd socket_;
  Store store_;
  std::vector<pid_t> strangers_;
};

// Runs `work` in a child process, in another when a signal has ended that, after a while that grows
// as its lives are short, and so on; `life` counts from 1. Returns what the one that ended by
// itself has returned, a byte; whatever it started has ended by then. SIGTERM and SIGINT are passed
// on as SIGTERM; the kept process begins with both blocked, so that none is lost. Throws
// std::runtime_error.
[[nodiscard]] int keep(const std::function<int(KeeperLink& keeper, unsigned life)>& work);

}  // namespace cede
