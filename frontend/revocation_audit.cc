// SPDX-License-Identifier: Apache-2.0
#include "frontend/revocation_audit.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>
#include <utility>

#include "protocols/shared_memory.h"

namespace cede::frontend {
namespace {

// What is attacked: a memfd, our writable mapping of it, and two different pages in it that are
// ours to lose.
struct Target {
  int fd;
  std::span<std::byte> bytes;
  std::size_t page;
  std::size_t other_page;

  [[nodiscard]] auto size() const noexcept { return static_cast<off_t>(bytes.size()); }
  [[nodiscard]] auto offset() const noexcept { return static_cast<off_t>(page); }
};

// Each attempt returns 0 if it worked, else errno, and leaves sizes and mappings as they were.
using Attempt = int (*)(const Target&);

int failure(bool failed) noexcept {
  return failed ? errno : 0;
}

int resize(const Target& target, off_t size) {
  if (::ftruncate(target.fd, size) != 0) return errno;
  [[maybe_unused]] const int restored = ::ftruncate(target.fd, target.size());
  return 0;
}

int truncate(const Target& target) {
  return resize(target, 0);
}
int truncate_half(const Target& target) {
  return resize(target, target.size() / 2);
}
int grow(const Target& target) {
  return resize(target, 2 * target.size());
}

int punch_hole(const Target& target) {
  return failure(::fallocate(target.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, target.offset(),
                             kPageBytes) != 0);
}

int remove_by_madvise(const Target& target) {
  return failure(::madvise(target.bytes.data() + target.page, kPageBytes, MADV_REMOVE) != 0);
}

int write_by_descriptor(const Target& target) {
  const char byte = 0;
  return failure(::pwrite(target.fd, &byte, sizeof byte, target.offset()) != sizeof byte);
}

int map_writable(const Target& target) {
  void* page =
      ::mmap(nullptr, kPageBytes, PROT_READ | PROT_WRITE, MAP_SHARED, target.fd, target.offset());
  if (page == MAP_FAILED) return errno;
  ::munmap(page, kPageBytes);
  return 0;
}

int make_mapping_writable(const Target& target) {
  void* page = ::mmap(nullptr, kPageBytes, PROT_READ, MAP_SHARED, target.fd, target.offset());
  if (page == MAP_FAILED) return errno;
  const int error = failure(::mprotect(page, kPageBytes, PROT_READ | PROT_WRITE) != 0);
  ::munmap(page, kPageBytes);
  return error;
}

// Puts another page of the file into a writable mapping: a copy of ours, because some kernels tear
// the old page out before they refuse.
int remap_pages(const Target& target) {
  void* copy = ::mremap(target.bytes.data() + target.page, 0, kPageBytes, MREMAP_MAYMOVE);
  if (copy == MAP_FAILED) return errno;
  const int error =
      failure(::remap_file_pages(copy, kPageBytes, 0, target.other_page / kPageBytes, 0) != 0);
  ::munmap(copy, kPageBytes);
  return error;
}

// Last: it cannot be undone.
int add_seal(const Target& target) {
  return failure(::fcntl(target.fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE) != 0);
}

constexpr std::array<std::pair<std::string_view, Attempt>, 10> kAttempts = {{
    {"truncate", truncate},
    {"truncate_half", truncate_half},
    {"grow", grow},
    {"punch_hole", punch_hole},
    {"madvise_remove", remove_by_madvise},
    {"write", write_by_descriptor},
    {"map_writable", map_writable},
    {"mprotect_writable", make_mapping_writable},
    {"remap_pages", remap_pages},
    {"add_seal", add_seal},
}};

// Do all attempts work on a memfd that nothing protects?
Result<bool> run_control() {
  const Fd fd(::memfd_create("audit-control", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  constexpr std::size_t kBytes = 4 * kPageBytes;
  if (!fd || ::ftruncate(fd.get(), kBytes) != 0) return Status::NoMemory;
  const Result<Mapping> mapping = Mapping::map(fd.get(), kBytes);
  if (!mapping) return Status::NoMemory;
  const Target target{fd.get(), {mapping->data(), kBytes}, 0, kPageBytes};
  return std::all_of(kAttempts.begin(), kAttempts.end(),
                     [&](const auto& attempt) { return attempt.second(target) == 0; });
}

struct Word {
  std::uint64_t value = 0;
};

// The region's words: the payload's as we fill it, the rings' as they are.
class Contents {
 public:
  explicit Contents(const Session& session) : bytes_(session.region.data()) {
    payload_ = session.geometry.data_offset();
    size_ = session.geometry.bytes();
    for (std::size_t at = 0; at < payload_; at += kWord) rings_.push_back(read(at));
    for (std::size_t at = payload_; at < size_; at += kWord) write(at, pattern(at));
  }
  Contents(const Contents&) = delete;
  Contents& operator=(const Contents&) = delete;
  ~Contents() {
    for (std::size_t at = payload_; at < size_; at += kWord) write(at, 0);
  }

  [[nodiscard]] bool intact() const {
    for (std::size_t at = 0; at < size_; at += kWord) {
      if (read(at) != (at < payload_ ? rings_[at / kWord] : pattern(at))) return false;
    }
    return true;
  }

 private:
  static constexpr std::size_t kWord = sizeof(Word);

  static std::uint64_t pattern(std::size_t at) noexcept { return ~at * 0x9E3779B97F4A7C15U; }
  [[nodiscard]] std::uint64_t read(std::size_t at) const noexcept {
    return SharedSlot<Word>(bytes_ + at).copy_in().value;
  }
  void write(std::size_t at, std::uint64_t word) noexcept {
    SharedSlot<Word>(bytes_ + at).copy_out({word});
  }

  std::byte* bytes_;
  std::size_t payload_ = 0;
  std::size_t size_ = 0;
  std::vector<std::uint64_t> rings_;
};

// A name may hold anything: it comes over the wire.
std::string json_string(std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string quoted = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (byte < 0x20 || byte >= 0x7f) {
      quoted += "\\u00";
      quoted += kHex[byte >> 4];
      quoted += kHex[byte & 15];
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

std::string error_name(int error) {
  const char* name = ::strerrorname_np(error);
  return name != nullptr ? json_string(name) : std::to_string(error);
}

constexpr std::string_view json_bool(bool value) {
  return value ? "true" : "false";
}

}  // namespace

bool RevocationAudit::passed() const noexcept {
  return control_worked && contents_intact &&
         std::all_of(attempts.begin(), attempts.end(),
                     [](const RevocationAttempt& attempt) { return attempt.refused; });
}

Result<RevocationAudit> audit_revocation(const Session& session) {
  if (!session.region_fd) return Status::Invalid;
  const Result<bool> control = run_control();
  if (!control) return control.status();

  RevocationAudit audit;
  audit.control_worked = *control;
  const Target target{session.region_fd.get(),
                      {session.region.data(), session.region.size()},
                      session.geometry.data_offset(),
                      session.region.size() - kPageBytes};
  const Contents contents(session);
  for (const auto& [what, attempt] : kAttempts) {
    const int error = attempt(target);
    audit.attempts.push_back({what, error != 0, error});
  }
  audit.contents_intact = contents.intact();
  return audit;
}

std::string to_json_line(std::string_view device, const RevocationAudit& audit) {
  std::string line = "{\"device\":" + json_string(device);
  line.append(",\"passed\":").append(json_bool(audit.passed()));
  line.append(",\"control_worked\":").append(json_bool(audit.control_worked));
  line.append(",\"contents_intact\":").append(json_bool(audit.contents_intact));
  line.append(",\"attempts\":[");
  for (const RevocationAttempt& attempt : audit.attempts) {
    if (line.back() != '[') line += ',';
    line.append("{\"attempt\":").append(json_string(attempt.what));
    line.append(",\"refused\":").append(json_bool(attempt.refused));
    line.append(",\"errno\":").append(attempt.refused ? error_name(attempt.error) : "null");
    line += '}';
  }
  return line + "]}\n";
}

}  // namespace cede::frontend
