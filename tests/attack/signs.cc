// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/signs.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <sstream>
#include <stdexcept>

namespace cede::attack {
namespace {

Fd make_pipe(const std::string& path) {
  // Read and write, so that neither end waits for the other, nor ever sees an end of file.
  if (::mkfifo(path.c_str(), 0600) != 0) throw std::runtime_error("cannot make " + path);
  Fd pipe(::open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!pipe) throw std::runtime_error("cannot open " + path);
  return pipe;
}

std::string read_all(const Fd& pipe) {
  std::string text;
  std::array<char, 4096> piece;
  ssize_t got = 0;
  while ((got = ::read(pipe.get(), piece.data(), piece.size())) > 0) {
    text.append(piece.data(), static_cast<std::size_t>(got));
  }
  return text;
}

}  // namespace

Signs::Signs() : go_(make_pipe(directory_.path("go"))), said_(make_pipe(directory_.path("said"))) {}

void Signs::give() {
  if (::write(go_.get(), "g", 1) != 1) throw std::runtime_error("the attacker cannot be started");
}

const Findings& Signs::heard() {
  std::istringstream lines(read_all(said_));
  for (std::string kind, text; lines >> kind && std::getline(lines >> std::ws, text);) {
    if (kind == "refused") findings_.refused.push_back(text);
    if (kind == "broke") findings_.broke.push_back(text);
    if (kind == "note") findings_.notes.push_back(text);
    if (kind == "cut-off") findings_.cut_off_ms = std::stod(text);
    if (kind == "gave-up") findings_.gave_up = text;
  }
  return findings_;
}

}  // namespace cede::attack
