// SPDX-License-Identifier: Apache-2.0
// The guest's memory as its VMM shares it: regions of files, mapped here.
//
// Two address spaces name the same bytes (vhost-user.rst, "Memory region description"): descriptors
// carry guest addresses, ring set-up carries the front-end's user addresses. Both are hostile:
// every access is looked up and checked against the region's end, and an access may run over the
// seam of two neighbouring regions.
//
// The VMM can truncate its file at any time; touching a page past the end is then a SIGBUS that
// ends this process, which serves no other client.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "frontend/vhost_user/mapped_file.h"
#include "frontend/vhost_user/protocol.h"
#include "protocols/posix/fd.h"
#include "protocols/status.h"

namespace cede::vhost_user {

class GuestMemory {
 public:
  static constexpr std::size_t kMaxRegions = 64;

  // Maps a region. Invalid: empty, wraps, overlaps another, or lies past the end of the file.
  // Full: kMaxRegions. IoError: the kernel refuses the mapping. QEMU 7.2 adds, and removes, each
  // region once for every queue pair: only the first time counts.
  [[nodiscard]] Status add(const MemoryRegion& region, const Fd& file);
  void remove(const MemoryRegion& region) noexcept;
  void clear() noexcept { regions_.clear(); }
  [[nodiscard]] std::size_t size() const noexcept { return regions_.size(); }

  // [address, address + length) of the front-end's user addresses, within one region; else nullptr.
  [[nodiscard]] std::byte* user_range(std::uint64_t address, std::uint64_t length) const noexcept;

  // Is all of [address, address + length) guest memory?
  [[nodiscard]] bool covers(std::uint64_t address, std::uint64_t length) const noexcept;
  // Copies out of, and into, guest memory. False: a part is not guest memory; what precedes it was
  // copied.
  [[nodiscard]] bool read(std::uint64_t address, std::span<std::byte> into) const noexcept;
  [[nodiscard]] bool write(std::uint64_t address, std::span<const std::byte> from) const noexcept;

 private:
  struct Region {
    MemoryRegion where;
    MappedFile mapped;
  };

  // The longest piece of [address, address + length) in the region that holds `address`.
  [[nodiscard]] std::span<std::byte> piece(std::uint64_t address,
                                           std::uint64_t length) const noexcept;

  std::vector<Region> regions_;
  mutable std::size_t last_ = 0;  // the region that the last piece came from
};

}  // namespace cede::vhost_user
