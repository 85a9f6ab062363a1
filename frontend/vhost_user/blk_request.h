// SPDX-License-Identifier: Apache-2.0
// One virtio-blk request (virtio 1.2, section 5.2.6) and how far it has got.
//
// A request is carried out in steps, each one operation of the block library: data in pieces that
// fit the payload, one step for each range of a discard. Steps of one request run side by side,
// except that a write-through write ends with a flush once its data is written. A request can
// start again from its first step at any time before it is answered: reads and writes repeat well.
#pragma once

#include <linux/virtio_blk.h>

#include <cstdint>
#include <vector>

#include "frontend/block/block_device.h"
#include "frontend/vhost_user/chain.h"
#include "protocols/block.h"

namespace cede::vhost_user {

// What requests are judged by.
struct BlkRules {
  block::Info info;
  bool read_only = false;
  bool write_through = false;  // the driver does not flush: every write is to be on the disk
};

inline constexpr std::uint32_t kMaxEraseRanges = 16;

class BlkRequest {
 public:
  using Kind = frontend::Operation::Kind;

  struct Step {
    Kind kind{};
    std::uint64_t sector = 0;
    std::uint64_t offset = 0;  // of the request's data
    std::uint32_t bytes = 0;
    bool unmap = false;
  };

  // Reads the request that chain() describes. False: there is no place for its status, or none for
  // its header: the queue is broken. A request that is refused, or needs no step, is done().
  [[nodiscard]] bool prepare(const GuestMemory& memory, const BlkRules& rules);

  [[nodiscard]] Chain& chain() noexcept { return chain_; }
  [[nodiscard]] bool is_read() const noexcept { return kind_ == Kind::Read; }
  [[nodiscard]] Segments& data() noexcept { return is_read() ? chain_.writable : chain_.readable; }
  // Where the data begins in data().
  [[nodiscard]] std::uint64_t data_offset() const noexcept {
    return is_read() ? 0 : sizeof(virtio_blk_outhdr);
  }

  [[nodiscard]] bool has_step() const noexcept;
  [[nodiscard]] Step step(std::uint32_t max_bytes) const noexcept;
  void started(const Step& step) noexcept;
  void finished_step(std::uint32_t status) noexcept;
  // No further step; what runs is waited for.
  void fail(std::uint32_t status) noexcept;
  void restart() noexcept;
  [[nodiscard]] bool done() const noexcept { return running_ == 0 && !has_step(); }

  // Writes the status. Returns the number of bytes for the used ring. False from the guest's
  // memory is the guest's own loss.
  [[nodiscard]] std::uint32_t answer(const GuestMemory& memory) const noexcept;

 private:
  void refuse(std::uint8_t status) noexcept;
  void prepare_data(const BlkRules& rules, std::uint64_t bytes) noexcept;
  void prepare_erase(const GuestMemory& memory, const BlkRules& rules);
  void prepare_id(const GuestMemory& memory, const BlkRules& rules) noexcept;

  Chain chain_;
  Kind kind_{};
  bool flush_after_ = false;
  bool flushing_ = false;  // the flush after the data has been started
  std::uint8_t refusal_ = VIRTIO_BLK_S_OK;
  std::uint8_t status_ = VIRTIO_BLK_S_OK;
  std::uint64_t sector_ = 0;
  std::uint64_t bytes_ = 0;  // of data
  std::uint64_t end_ = 0;    // bytes of data, or ranges, or 1 for a flush
  std::uint64_t next_ = 0;   // how many of these were started
  std::uint32_t running_ = 0;
  std::vector<virtio_blk_discard_write_zeroes> ranges_;
};

}  // namespace cede::vhost_user
