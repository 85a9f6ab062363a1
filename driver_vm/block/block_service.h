// SPDX-License-Identifier: Apache-2.0
// The block multiplexer: many clients' volumes on one disk.
//
// Each turn takes requests from the rings in the scheduler's order and starts them on the disk,
// until the rings are empty, the window of operations in flight is full, or the turn has cost
// enough. Whatever does not fit stays in its client's own ring: nothing is queued here, so a deep
// queue costs its owner and nobody else.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "driver_vm/block/block_session.h"
#include "driver_vm/block/disk.h"
#include "driver_vm/block/volume.h"
#include "driver_vm/scheduler.h"
#include "driver_vm/session_host/device_service.h"

namespace cede::driver {

class BlockService final : public DeviceService, private DiskClient {
 public:
  static constexpr std::size_t kWindow = 128;  // operations in flight on the disk
  static constexpr std::uint32_t kMaxTransfer = 1 << 20;
  static constexpr std::uint32_t kMaxErase = 64 << 20;

  // `disk`, opened for kWindow operations, outlives the service.
  BlockService(Disk& disk, std::vector<Volume> volumes);
  ~BlockService() override;

  // DeviceService. Refuses NotSupported: no such volume; Busy: it carries a session already;
  // Invalid: not the slots of protocols/block.h.
  [[nodiscard]] Result<std::unique_ptr<DeviceSession>> accept(HostedSession& session,
                                                              DeviceInfo& info) override;
  bool turn(Instant now) override;
  bool publish() override;
  [[nodiscard]] bool arm() override;
  [[nodiscard]] Instant deadline() const override;
  void settle() override { disk_.settle(); }

  // For ~BlockSession().
  void forget(const BlockSession& session) noexcept;

 private:
  struct Operation : DiskRequest {
    BlockSession* session = nullptr;
    std::uint32_t ring = 0;
    std::uint32_t id = 0;
    Instant since = 0;  // when the request was begun, of which this may be a piece
  };

  [[nodiscard]] block::Info describe(const Volume& volume, const Geometry& geometry) const noexcept;
  // Both answer or start one request, or the next piece of one, and return what that cost.
  Scheduler::Cost serve(BlockSession& session, BlockSession::Taken& taken);
  Scheduler::Cost run(BlockSession& session, const BlockSession::Taken& taken);
  void finished(DiskRequest& request, DiskOutcome outcome) override;
  // BlockSession::done(), counted.
  std::optional<std::uint32_t> done(BlockSession& session, std::uint32_t ring, std::uint32_t id,
                                    std::uint32_t status);

  Disk& disk_;
  std::vector<Volume> volumes_;
  std::array<BlockSession*, Scheduler::kMaxClients> sessions_{};
  Scheduler scheduler_;
  std::vector<Operation> operations_;
  std::vector<Operation*> free_;
  Scheduler::Cost burst_ = 0;  // since clients were last called
  Instant now_ = 0;            // refreshed by each turn and each finished operation
};

}  // namespace cede::driver
