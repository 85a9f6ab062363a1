// SPDX-License-Identifier: Apache-2.0
#include "driver_vm/block/block_service.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "driver_vm/session_host/counters.h"

namespace cede::driver {
namespace {

using block::Info;
using block::Request;

// Costs in bytes moved. Small requests cost their handling rather than their bytes; zeroes may have
// to be written like any others; a discard moves nothing, but is not free; a flush makes the medium
// wait.
constexpr Scheduler::Cost kPerRequest = 4096;
constexpr Scheduler::Cost kFlush = 16 << 10;
constexpr std::uint32_t kDiscardDiscount = 16;
// After this much a turn ends, so that answers are published and control messages are heard: eight
// small requests, so that the client works on the first answers while the next ones are made.
constexpr Scheduler::Cost kTurn = 64 << 10;
// A call costs more than a small request. A client that sleeps is called for its first answers, and
// not again before there is nothing more to take, or this much was done: were it called at the end
// only, it would sleep while we work, and we while it does.
constexpr Scheduler::Cost kBurst = 512 << 10;

[[nodiscard]] Scheduler::Cost cost_of(std::uint16_t type, std::uint32_t bytes) noexcept {
  switch (type) {
    case VIRTIO_BLK_T_IN:
    case VIRTIO_BLK_T_OUT:
      return kPerRequest + std::clamp(bytes, 4096U, kTransferPiece);
    case VIRTIO_BLK_T_WRITE_ZEROES:
      return kPerRequest + std::clamp(bytes, 4096U, BlockService::kMaxErase);
    case VIRTIO_BLK_T_DISCARD:
      return kPerRequest + std::clamp(bytes, 4096U, BlockService::kMaxErase) / kDiscardDiscount;
    case VIRTIO_BLK_T_FLUSH:
      return kPerRequest + kFlush;
    default:
      return kPerRequest;
  }
}

void count_bytes(BlockStats& stats, const DiskRequest& request) noexcept {
  if (request.transfers()) {
    add(request.kind == DiskRequest::Kind::Read ? stats.read_bytes : stats.write_bytes,
        request.length);
  }
}

[[nodiscard]] Counter& operations_of(BlockStats& stats, DiskRequest::Kind kind) noexcept {
  switch (kind) {
    case DiskRequest::Kind::Read:
      return stats.reads;
    case DiskRequest::Kind::Write:
      return stats.writes;
    case DiskRequest::Kind::Flush:
      return stats.flushes;
    case DiskRequest::Kind::Discard:
    case DiskRequest::Kind::WriteZeroes:
      break;
  }
  return stats.erases;
}

[[nodiscard]] DiskRequest::Kind kind_of(std::uint16_t type) noexcept {
  switch (type) {
    case VIRTIO_BLK_T_IN:
      return DiskRequest::Kind::Read;
    case VIRTIO_BLK_T_OUT:
      return DiskRequest::Kind::Write;
    case VIRTIO_BLK_T_DISCARD:
      return DiskRequest::Kind::Discard;
    case VIRTIO_BLK_T_WRITE_ZEROES:
      return DiskRequest::Kind::WriteZeroes;
    default:
      return DiskRequest::Kind::Flush;
  }
}

[[nodiscard]] std::uint32_t status_of(DiskOutcome outcome) noexcept {
  switch (outcome) {
    case DiskOutcome::Ok:
      return VIRTIO_BLK_S_OK;
    case DiskOutcome::Unsupported:
      return VIRTIO_BLK_S_UNSUPP;
    case DiskOutcome::Error:
      break;
  }
  return VIRTIO_BLK_S_IOERR;
}

}  // namespace

BlockService::BlockService(Disk& disk, std::vector<Volume> volumes)
    : disk_(disk), volumes_(std::move(volumes)), operations_(kWindow) {
  disk_.attach(*this);
  for (Operation& operation : operations_) free_.push_back(&operation);
}

BlockService::~BlockService() = default;

Result<std::unique_ptr<DeviceSession>> BlockService::accept(HostedSession& session,
                                                            DeviceInfo& info) {
  if (session.geometry().slot_bytes != block::kSlotBytes) return Status::Invalid;
  const auto volume = std::ranges::find(volumes_, session.device(), &Volume::device);
  if (volume == volumes_.end()) return Status::NotSupported;
  const bool held = std::ranges::any_of(sessions_, [&](const BlockSession* other) {
    return other != nullptr && &other->volume() == &*volume;
  });
  if (held) return Status::Busy;
  auto* const place = std::ranges::find(sessions_, nullptr);
  if (place == sessions_.end()) return Status::Full;

  const Info words = describe(*volume, session.geometry());
  static_assert(sizeof words <= DeviceInfo::kBytes);
  std::memcpy(info.bytes, &words, sizeof words);
  const auto slot = static_cast<std::uint32_t>(place - sessions_.begin());
  auto made = std::make_unique<BlockSession>(*this, slot, session, *volume, words);
  *place = made.get();
  scheduler_.add(slot, volume->weight);
  return std::unique_ptr<DeviceSession>(std::move(made));
}

void BlockService::forget(const BlockSession& session) noexcept {
  scheduler_.remove(session.slot());
  sessions_[session.slot()] = nullptr;
}

Info BlockService::describe(const Volume& volume, const Geometry& geometry) const noexcept {
  const DiskFacts& disk = disk_.facts();
  const std::uint64_t payload = geometry.bytes() - geometry.data_offset();
  const auto transfer = static_cast<std::uint32_t>(std::min<std::uint64_t>(kMaxTransfer, payload));
  Info info;
  info.sectors = volume.length / block::kSectorBytes;
  info.logical_block = disk.logical_block;
  info.physical_block = disk.physical_block;
  info.max_transfer = transfer - transfer % disk.logical_block;
  info.max_erase = kMaxErase;
  info.features = Info::kFlush;
  if (volume.read_only) {
    info.features |= Info::kReadOnly;
  } else {
    info.features |= Info::kWriteZeroes;
    if (disk.can_punch) info.features |= Info::kDiscard;
  }
  std::ranges::copy(volume.serial, info.serial);
  return info;
}

bool BlockService::turn(Instant now) {
  now_ = now;
  for (BlockSession* session : sessions_) {
    if (session != nullptr && session->ready(now)) scheduler_.wake(session->slot());
  }
  bool worked = false;
  Scheduler::Cost cost = 0;
  while (cost < kTurn && !free_.empty()) {
    const std::optional<Scheduler::Client> client = scheduler_.current();
    if (!client) break;
    BlockSession& session = *sessions_[*client];
    BlockSession::Taken taken;
    if (!session.within_limits(now_)) {
      scheduler_.leave();
      continue;
    }
    const Verdict verdict = session.take(taken);
    worked = worked || verdict != Verdict::Empty;
    if (verdict != Verdict::Ready) {
      scheduler_.leave();
      continue;
    }
    const Scheduler::Cost one = serve(session, taken);
    scheduler_.charge(one);
    cost += one;
  }
  burst_ = cost == 0 ? kBurst : burst_ + cost;
  return worked;
}

Scheduler::Cost BlockService::serve(BlockSession& session, BlockSession::Taken& taken) {
  if (taken.begun != 0) return run(session, taken);
  taken.since = now_;
  const Request& request = taken.request;
  const Judgement judgement = judge(request, session.info(), session.host().geometry());
  switch (judgement.kind) {
    case Judgement::Kind::Broken:
      session.reject(judgement.reason);
      done(session, taken.ring, request.id, VIRTIO_BLK_S_IOERR);
      return kPerRequest;
    case Judgement::Kind::Answer:
      session.charge_operation();
      done(session, taken.ring, request.id, judgement.status);
      return kPerRequest;
    case Judgement::Kind::Run:
      break;
  }
  session.charge_operation();
  return run(session, taken);
}

Scheduler::Cost BlockService::run(BlockSession& session, const BlockSession::Taken& taken) {
  const Request& request = taken.request;
  std::byte* const memory = session.host().memory() + request.offset + taken.begun;
  if (request.type == VIRTIO_BLK_T_GET_ID) {
    std::ranges::copy(session.info().serial, reinterpret_cast<char*>(memory));
    done(session, taken.ring, request.id, VIRTIO_BLK_S_OK);
    return kPerRequest;
  }
  std::uint32_t bytes = request.length;
  if (request.transfers()) {
    bytes = std::min(kTransferPiece, request.length - taken.begun);
    session.charge_bytes(bytes);
    if (bytes < request.length - taken.begun) session.keep_rest(taken, bytes);
  } else {
    session.set_busy_aside(true);
  }
  Operation& operation = *free_.back();
  free_.pop_back();
  operation.kind = kind_of(request.type);
  operation.unmap = (request.flags & Request::kUnmap) != 0;
  operation.buffer = session.host().buffer();
  operation.length = bytes;
  operation.offset = session.volume().offset + request.sector * block::kSectorBytes + taken.begun;
  operation.memory = memory;
  operation.session = &session;
  operation.ring = taken.ring;
  operation.id = request.id;
  operation.since = taken.since;
  disk_.start(operation);
  return cost_of(request.type, bytes);
}

void BlockService::finished(DiskRequest& request, DiskOutcome outcome) {
  auto& operation = static_cast<Operation&>(request);
  BlockSession& session = *operation.session;
  if (!operation.transfers()) session.set_busy_aside(false);
  now_ = monotonic_now();
  BlockStats& stats = session.host().stats().block;
  if (outcome == DiskOutcome::Ok) count_bytes(stats, operation);
  const auto answer = done(session, operation.ring, operation.id, status_of(outcome));
  if (answer) add(stats.latency[latency_bucket(now_ - operation.since)]);
  if (answer == VIRTIO_BLK_S_OK) add(operations_of(stats, operation.kind));
  free_.push_back(&operation);
}

std::optional<std::uint32_t> BlockService::done(BlockSession& session, std::uint32_t ring,
                                                std::uint32_t id, std::uint32_t status) {
  const auto answer = session.done(ring, id, status);
  if (answer.value_or(VIRTIO_BLK_S_OK) != VIRTIO_BLK_S_OK) {
    add(session.host().stats().block.errors);
  }
  return answer;
}

bool BlockService::publish() {
  bool published = false;
  for (BlockSession* session : sessions_) {
    if (session == nullptr) continue;
    published = session->publish() || published;
    session->call(burst_ >= kBurst);
  }
  if (burst_ >= kBurst) burst_ = 0;
  return published;
}

bool BlockService::arm() {
  // Whatever makes room also wakes.
  if (free_.empty()) return true;
  bool quiet = true;
  for (BlockSession* session : sessions_) {
    if (session != nullptr) quiet = session->arm() && quiet;
  }
  return quiet;
}

Instant BlockService::deadline() const {
  Instant first = kNever;
  for (const BlockSession* session : sessions_) {
    if (session != nullptr) first = std::min(first, session->deadline());
  }
  return first;
}

}  // namespace cede::driver
