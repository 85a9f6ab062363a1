// SPDX-License-Identifier: Apache-2.0
// Where a running system keeps its sockets, logs and notes, and how it is known to run.
//
//   ROOT/NAME.lock          locked (flock) as long as the keeper of the system's supervisor lives
//   ROOT/NAME/control.sock  for the CLI
//   ROOT/NAME/notes         what to clean up if the keeper is killed, one path a line
//   ROOT/NAME/log/          what supervisor, broker and domains print
//   ROOT/NAME/CLIENT/       a client's sockets; belongs to the client's user
//
// ROOT is $CEDE_RUNTIME_DIR, or /run/cede for root, or $XDG_RUNTIME_DIR/cede.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "protocols/posix/fd.h"

namespace cede::supervisor {

// Throws std::runtime_error if the environment names no directory.
[[nodiscard]] std::filesystem::path runtime_root();
[[nodiscard]] std::filesystem::path control_socket(const std::string& system);
[[nodiscard]] std::filesystem::path log_directory(const std::string& system);

// The systems that have a runtime directory, running or not, by name.
[[nodiscard]] std::vector<std::string> known_systems();
[[nodiscard]] bool is_running(const std::string& system);

// What the names of a system's cgroups begin with: "cede-NAME", with a mark of the root where that
// is not /run/cede.
[[nodiscard]] std::string cgroup_name(const std::string& system);

// A system's runtime directory, held by its supervisor. Move-only; the destructor removes the
// directory and the lock, unless there was a fork and this is the parent (abandon()).
class RuntimeDir {
 public:
  // Nothing: another supervisor holds it. What a killed one has left behind is cleaned up first.
  // Throws std::runtime_error if the directory cannot be made.
  [[nodiscard]] static std::optional<RuntimeDir> claim(const std::string& system);
  RuntimeDir(RuntimeDir&& other) noexcept = default;
  RuntimeDir& operator=(RuntimeDir&&) = delete;
  ~RuntimeDir();
  // The other process of a fork has it.
  void abandon() && noexcept { lock_.reset(); }

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
  [[nodiscard]] std::filesystem::path log(const std::string& domain) const;
  // A client's directory for sockets, made for `owner` if given.
  [[nodiscard]] std::filesystem::path make_client(const std::string& client,
                                                  std::optional<uid_t> owner) const;
  // Remembers something outside the directory, to be removed by whoever cleans up: a cgroup or a
  // socket.
  void note(const std::filesystem::path& leftover) const;

 private:
  RuntimeDir(std::filesystem::path path, Fd lock)
      : path_(std::move(path)), lock_(std::move(lock)) {}

  std::filesystem::path path_;
  Fd lock_;
};

// Removes what a killed keeper left: processes in its cgroups, the cgroups, sockets, the
// directory. Returns false if the system runs; true if nothing is left.
[[nodiscard]] bool clean_leftovers(const std::string& system);

// A range of user ids that no other system on this machine uses at the moment: `first` and the
// kUidsPerSystem - 1 that follow.
inline constexpr uid_t kFirstUid = 0x10000;
inline constexpr uid_t kUidsPerSystem = 256;
struct UidRange {
  uid_t first = 0;
  Fd lock;
};
// Throws std::runtime_error if all are taken.
[[nodiscard]] UidRange claim_uids();

}  // namespace cede::supervisor
