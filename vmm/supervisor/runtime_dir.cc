// SPDX-License-Identifier: Apache-2.0
#include "vmm/supervisor/runtime_dir.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "vmm/supervisor/cgroup.h"
#include "vmm/supervisor/description.h"

namespace cede::supervisor {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSystemRoot = "/run/cede";
constexpr const char* kLockSuffix = ".lock";
// Outside of every root, for the systems of all of them. The empty file stays until the machine is
// switched off: whoever removed it would have to know that nobody is about to lock a range of it.
constexpr const char* kUidLocks = "/run/cede-uids";
constexpr uid_t kUidRanges = 128;  // below 100000, where users' subordinate ids begin

std::runtime_error cannot(const std::string& what, const fs::path& path, int error) {
  return std::runtime_error(
      fmt::format("cannot {} {}: {}", what, path.string(), std::generic_category().message(error)));
}

void make_directory(const fs::path& path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST) throw cannot("make", path, errno);
  // The mode that was asked for, whatever the umask says.
  if (::chmod(path.c_str(), mode) != 0) throw cannot("set the mode of", path, errno);
}

fs::path lock_path(const std::string& system) {
  return runtime_root() / (system + kLockSuffix);
}

// The lock of a system, or nothing if somebody holds it. The holder removes the file at the end, so
// what was locked may be gone from its path by then: try again.
Fd take_lock(const fs::path& path) {
  while (true) {
    Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!fd) throw cannot("open", path, errno);
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) return {};
    struct stat held {};
    struct stat named {};
    if (::fstat(fd.get(), &held) == 0 && ::stat(path.c_str(), &named) == 0 &&
        held.st_ino == named.st_ino && held.st_dev == named.st_dev) {
      return fd;
    }
  }
}

// With the lock held.
bool remove_everything(const fs::path& directory) {
  bool clean = true;
  std::ifstream notes(directory / "notes");
  for (std::string line; std::getline(notes, line);) {
    struct stat status {};
    if (line.empty() || ::lstat(line.c_str(), &status) != 0) continue;
    if (S_ISDIR(status.st_mode)) {
      clean = remove_cgroup_tree(line) && clean;
    } else if (S_ISSOCK(status.st_mode)) {
      clean = ::unlink(line.c_str()) == 0 && clean;
    }
  }
  std::error_code error;
  fs::remove_all(directory, error);
  return clean && !error;
}

}  // namespace

fs::path runtime_root() {
  // NOLINTBEGIN(concurrency-mt-unsafe): nobody sets the environment
  if (const char* set = std::getenv("CEDE_RUNTIME_DIR"); set != nullptr && *set != '\0') {
    return fs::absolute(set).lexically_normal();
  }
  if (::geteuid() == 0) return kSystemRoot;
  if (const char* user = std::getenv("XDG_RUNTIME_DIR"); user != nullptr && *user != '\0') {
    return fs::path(user) / "cede";
  }
  // NOLINTEND(concurrency-mt-unsafe)
  throw std::runtime_error(
      "no runtime directory; set CEDE_RUNTIME_DIR or XDG_RUNTIME_DIR to one of yours");
}

fs::path control_socket(const std::string& system) {
  return runtime_root() / system / "control.sock";
}

fs::path log_directory(const std::string& system) {
  return runtime_root() / system / "log";
}

std::vector<std::string> known_systems() {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(runtime_root(), error), end; !error && entry != end;
       entry.increment(error)) {
    const fs::path& path = entry->path();
    if (path.extension() == kLockSuffix && valid_name(path.stem().string())) {
      names.push_back(path.stem());
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

bool is_running(const std::string& system) {
  const Fd fd(::open(lock_path(system).c_str(), O_RDWR | O_CLOEXEC));
  return fd && ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0;
}

std::string cgroup_name(const std::string& system) {
  const fs::path root = runtime_root();
  if (root == kSystemRoot) return "cede-" + system;
  return fmt::format("cede-{}-{:08x}", system,
                     std::hash<std::string>{}(root.string()) & 0xffff'ffff);
}

std::optional<RuntimeDir> RuntimeDir::claim(const std::string& system) {
  const fs::path root = runtime_root();
  make_directory(root, 0755);
  Fd lock = take_lock(lock_path(system));
  if (!lock) return std::nullopt;
  RuntimeDir dir(root / system, std::move(lock));
  if (!remove_everything(dir.path_)) {
    throw std::runtime_error(
        fmt::format("cannot remove what an earlier run left in {}", dir.path_.string()));
  }
  make_directory(dir.path_, 0711);  // clients pass through to their own directories
  make_directory(dir.path_ / "log", 0700);
  return dir;
}

RuntimeDir::~RuntimeDir() {
  if (!lock_) return;
  remove_everything(path_);
  fs::path lock = path_;
  lock += kLockSuffix;
  ::unlink(lock.c_str());
}

fs::path RuntimeDir::log(const std::string& domain) const {
  return path_ / "log" / (domain + ".log");
}

fs::path RuntimeDir::make_client(const std::string& client, std::optional<uid_t> owner) const {
  fs::path directory = path_ / client;
  make_directory(directory, 0700);
  if (owner && ::lchown(directory.c_str(), *owner, *owner) != 0) {
    throw cannot("give away", directory, errno);
  }
  return directory;
}

void RuntimeDir::note(const fs::path& leftover) const {
  const fs::path file = path_ / "notes";
  std::ofstream notes(file, std::ios::app);
  notes << leftover.string() << '\n' << std::flush;
  if (!notes) throw cannot("write", file, EIO);
}

bool clean_leftovers(const std::string& system) {
  const fs::path path = lock_path(system);
  if (::access(path.c_str(), F_OK) != 0) return true;
  const Fd lock = take_lock(path);
  if (!lock) return false;
  const bool clean = remove_everything(runtime_root() / system);
  ::unlink(path.c_str());
  if (!clean) {
    throw std::runtime_error(fmt::format("cannot remove all that is left of '{}'", system));
  }
  return true;
}

UidRange claim_uids() {
  Fd file(::open(kUidLocks, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file) throw cannot("open", kUidLocks, errno);
  for (uid_t range = 0; range < kUidRanges; ++range) {
    struct flock byte {};
    byte.l_type = F_WRLCK;
    byte.l_whence = SEEK_SET;
    byte.l_start = range;
    byte.l_len = 1;
    if (::fcntl(file.get(), F_OFD_SETLK, &byte) == 0) {
      return {kFirstUid + range * kUidsPerSystem, std::move(file)};
    }
  }
  throw std::runtime_error("all ranges of user ids are taken; stop a system first");
}

}  // namespace cede::supervisor
