// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/stage.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace cede::attack {
namespace {

Fd open_pipe(const std::string& path, int flags) {
  Fd pipe(::open(path.c_str(), flags | O_CLOEXEC));
  if (!pipe) throw std::runtime_error("cannot open " + path);
  return pipe;
}

}  // namespace

Stage::Stage(const std::string& directory)
    : go_(open_pipe(directory + "/go", O_RDONLY)),
      said_(open_pipe(directory + "/said", O_WRONLY)) {}

bool Stage::begun() {
  if (begun_ != std::chrono::steady_clock::time_point{}) return true;
  pollfd sign{go_.get(), POLLIN, 0};
  if (::poll(&sign, 1, 0) != 1) return false;
  begun_ = std::chrono::steady_clock::now();
  return true;
}

void Stage::expect_refused(std::string_view what, long result) {
  const int error = errno;
  if (result >= 0) return broke(what);
  say("refused", std::string(what) + ' ' + ::strerrorname_np(error));
}

void Stage::cut_off() {
  if (std::exchange(was_cut_off_, true)) return;
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begun_;
  say("cut-off", std::to_string(took.count()));
}

void Stage::say(std::string_view kind, std::string_view text) {
  std::string line(kind);
  line.append(" ").append(text).append("\n");
  (void)!::write(said_.get(), line.data(), line.size());
}

}  // namespace cede::attack
