// SPDX-License-Identifier: Apache-2.0
#include "vmm/broker/memory_cgroup.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <system_error>

namespace cede::broker {
namespace {

constexpr const char* kSubtreeControl = "/cgroup.subtree_control";

bool write_file(const std::string& path, std::string_view text) {
  return (std::ofstream(path) << text << std::flush).good();
}

bool make_dir(const std::string& dir) {
  const bool made = ::mkdir(dir.c_str(), 0755) == 0;
  if (!made) spdlog::error("cannot make {}: {}", dir, std::generic_category().message(errno));
  return made;
}

}  // namespace

std::optional<Charge> parse_memory_stat(std::istream& text) {
  Charge charge;
  int found = 0;
  std::string name;
  std::uint64_t bytes = 0;
  while (text >> name >> bytes) {
    const bool listed = name == "inactive_anon" || name == "active_anon" || name == "unevictable";
    if (listed) charge.listed += bytes;
    if (name == "shmem") charge.shmem = bytes;
    // Only v1 has this line here, and only where swap is accounted for.
    if (name == "swap") charge.swapped = bytes;
    found += listed || name == "shmem" ? 1 : 0;
  }
  if (!text.eof() || found != 4) return std::nullopt;
  return charge;
}

Result<MemoryCgroup> MemoryCgroup::open(std::string dir) {
  std::ifstream controllers(dir + "/cgroup.controllers");
  std::string name;
  while (controllers >> name && name != "memory") continue;
  const bool unified = name == "memory";
  const bool separate = ::access((dir + "/memory.usage_in_bytes").c_str(), F_OK) == 0;
  if (!unified && !separate) return Status::NotSupported;
  if (unified && !write_file(dir + kSubtreeControl, "+memory")) return Status::IoError;
  return MemoryCgroup(std::move(dir), unified);
}

std::string MemoryCgroup::of_domain(Handle domain) const {
  return fmt::format("{}/{}-{}", dir_, domain.index, domain.generation);
}

std::string MemoryCgroup::of_session(Handle payer, Handle session) const {
  return fmt::format("{}/session-{}-{}", of_domain(payer), session.index, session.generation);
}

Status MemoryCgroup::add_domain(Handle domain) const {
  const std::string dir = of_domain(domain);
  // On v2 a directory without processes hands the controller on; processes live in the leaves.
  const auto hands_on = [&] { return !unified_ || write_file(dir + kSubtreeControl, "+memory"); };
  return make_dir(dir) && hands_on() && make_dir(dir + "/run") ? Status::Ok : Status::IoError;
}

Status MemoryCgroup::add_session(const std::string& dir) const {
  if (!make_dir(dir)) return Status::IoError;
  // A region on swap would be slow for the driver, and its charge hard to see. Where the kernel has
  // no such file there is no swap to account for. v1 promises less, so charge() looks as well.
  write_file(dir + (unified_ ? "/memory.swap.max" : "/memory.swappiness"), "0");
  return Status::Ok;
}

std::optional<Charge> MemoryCgroup::charge(const std::string& session_dir) const {
  std::ifstream stat(session_dir + "/memory.stat");
  std::optional<Charge> charge = parse_memory_stat(stat);
  // These figures can be seconds late. A counter of all pages (v1's: swapped ones, too) cannot fall
  // before they are free.
  std::ifstream used(session_dir + (unified_ ? "/memory.current" : "/memory.memsw.usage_in_bytes"));
  if (charge && used.peek() == '0') charge = Charge{};
  // v1 has no such file.
  std::ifstream swap(session_dir + "/memory.swap.current");
  if (charge && swap.is_open() && !(swap >> charge->swapped)) return std::nullopt;
  return charge;
}

void MemoryCgroup::discard(std::string dir) {
  discarded_.push_back(std::move(dir));
  sweep();
}

void MemoryCgroup::discard_domain(Handle domain) {
  discard(of_domain(domain) + "/run");
  discard(of_domain(domain));
}

void MemoryCgroup::sweep() {
  std::erase_if(discarded_, [](auto& dir) { return ::rmdir(dir.c_str()) == 0 || errno == ENOENT; });
}

}  // namespace cede::broker
