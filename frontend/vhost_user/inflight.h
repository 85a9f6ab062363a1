// SPDX-License-Identifier: Apache-2.0
// Which requests have been taken and not yet given back, in memory that outlives this process.
//
// Source: vhost-user.rst, "Inflight I/O tracking", split virtqueues. The front-end keeps the file
// and hands it to our next life, which executes again what is marked, in the order it was taken.
// Without the protocol feature the same record serves inside one life, for a queue that is stopped
// while the driver is silent.
//
// The front-end can write this memory: it is read in recover() only, where everything is checked;
// the running queue only writes it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "frontend/vhost_user/mapped_file.h"
#include "frontend/vhost_user/protocol.h"
#include "protocols/posix/fd.h"
#include "protocols/status.h"

namespace cede::vhost_user {

// The record of one queue, a view into an InflightRegion.
class InflightQueue {
 public:
  InflightQueue() = default;
  InflightQueue(std::byte* base, std::uint16_t capacity) noexcept
      : base_(base), capacity_(capacity) {}

  // Heads taken but not given back, in the order in which they were taken; for a queue of `size`
  // entries whose used index in guest memory is `used`. Nothing: the record cannot be of that
  // queue.
  [[nodiscard]] std::optional<std::vector<std::uint16_t>> recover(std::uint32_t size,
                                                                  std::uint16_t used);
  void forget() noexcept;

  // In the order of the specification: taken; before the used index is published; after it.
  void taken(std::uint16_t head) noexcept;
  void giving_back(std::uint16_t head);
  void given_back(std::uint16_t used) noexcept;

 private:
  std::byte* base_ = nullptr;
  std::uint16_t capacity_ = 0;
  std::uint64_t counter_ = 0;
  std::vector<std::uint16_t> batch_;
};

class InflightRegion {
 public:
  // A fresh region; `file` is for the front-end.
  [[nodiscard]] static Result<InflightRegion> create(std::uint16_t queues, std::uint16_t queue_size,
                                                     Fd& file);
  // The front-end's. Invalid: the file is smaller than what it describes, or of another layout.
  [[nodiscard]] static Result<InflightRegion> adopt(const InflightDescription& description,
                                                    const Fd& file, std::uint16_t max_queues);

  [[nodiscard]] InflightDescription description() const noexcept;
  [[nodiscard]] InflightQueue queue(std::uint16_t index) const noexcept;

 private:
  [[nodiscard]] static Result<InflightRegion> map(const InflightDescription& description,
                                                  const Fd& file);

  InflightDescription description_;
  MappedFile mapping_;
};

}  // namespace cede::vhost_user
