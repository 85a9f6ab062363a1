// SPDX-License-Identifier: Apache-2.0
#include "vmm/supervisor/kept_lines.h"

#include <sys/mman.h>
#include <unistd.h>

#include <stdexcept>

namespace cede::supervisor {
namespace {

std::string content(const Fd& memory) {
  std::string text(static_cast<std::size_t>(::lseek(memory.get(), 0, SEEK_END)), '\0');
  const ssize_t got = ::pread(memory.get(), text.data(), text.size(), 0);
  text.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
  return text;
}

}  // namespace

KeptLines::KeptLines(KeeperLink& keeper, const std::string& name) : memory_(keeper.take(name)) {
  if (memory_) {
    recent_.append(content(memory_));
    return;
  }
  memory_ = Fd(::memfd_create("cede-lines", MFD_CLOEXEC));
  if (!memory_) throw std::runtime_error("cannot make the memory for " + name);
  keeper.keep(name, memory_.get());
}

void KeptLines::append(std::string_view text) {
  recent_.append(text);
  const std::string all = recent_.text();
  // Without memory for a copy, the lines are only ours: no reason to stop serving.
  if (::pwrite(memory_.get(), all.data(), all.size(), 0) < 0) return;
  (void)!::ftruncate(memory_.get(), static_cast<off_t>(all.size()));
}

}  // namespace cede::supervisor
