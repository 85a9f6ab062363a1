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

[[nodiscard]] Scheduler::Cost cost_of(const Request& request) noexcept {
  switch (request.type) {
    case VIRTIO_BLK_T_IN:
    case VIRTIO_BLK_T_OUT:
      return kPerRequest + std::clamp(request.length, 4096U, BlockService::kMaxTransfer);
    case VIRTIO_BLK_T_WRITE_ZEROES:
      return kPerRequest + std::clamp(request.length, 4096U, BlockService::kMaxErase);
    case VIRTIO_BLK_T_DISCARD:
      return kPerRequest +
             std::clamp(request.length, 4096U, BlockService::kMaxErase) / kDiscardDiscount;
    case VIRTIO_BLK_T_FLUSH:
      return kPerRequest + kFlush;
    default:
      return kPerRequest;
  }
}

void count_done(BlockStats& stats, const DiskRequest& request, DiskOutcome outcome) noexcept {
  if (outcome != DiskOutcome::Ok) return;
  switch (request.kind) {
    case DiskRequest::Kind::Read:
      add(stats.reads);
      add(stats.read_bytes, request.length);
      return;
    case DiskRequest::Kind::Write:
      add(stats.writes);
      add(stats.write_bytes, request.length);
      return;
    case DiskRequest::Kind::Flush:
      return add(stats.flushes);
    case DiskRequest::Kind::Discard:
    case DiskRequest::Kind::WriteZeroes:
      return add(stats.erases);
  }
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

Scheduler::Cost BlockService::serve(BlockSession& session, const BlockSession::Taken& taken) {
  const Request& request = taken.request;
  const Judgement judgement = judge(request, session.info(), session.host().geometry());
  switch (judgement.kind) {
    case Judgement::Kind::Broken:
      session.reject(judgement.reason);
      answer(session, taken.ring, request.id, VIRTIO_BLK_S_IOERR);
      break;
    case Judgement::Kind::Answer:
      session.charge(0);
      answer(session, taken.ring, request.id, judgement.status);
      break;
    case Judgement::Kind::Run:
      run(session, taken);
      break;
  }
  return cost_of(request);
}

void BlockService::run(BlockSession& session, const BlockSession::Taken& taken) {
  const Request& request = taken.request;
  std::byte* const memory = session.host().memory() + request.offset;
  session.charge(request.transfers() ? request.length : 0);
  if (request.type == VIRTIO_BLK_T_GET_ID) {
    std::ranges::copy(session.info().serial, reinterpret_cast<char*>(memory));
    answer(session, taken.ring, request.id, VIRTIO_BLK_S_OK);
    return;
  }
  Operation& operation = *free_.back();
  free_.pop_back();
  operation.kind = kind_of(request.type);
  operation.unmap = (request.flags & Request::kUnmap) != 0;
  operation.buffer = session.host().buffer();
  operation.length = request.length;
  operation.offset = session.volume().offset + request.sector * block::kSectorBytes;
  operation.memory = memory;
  operation.session = &session;
  operation.ring = taken.ring;
  operation.id = request.id;
  operation.taken = now_;
  if (!request.transfers()) session.set_busy_aside(true);
  disk_.start(operation);
}

void BlockService::finished(DiskRequest& request, DiskOutcome outcome) {
  auto& operation = static_cast<Operation&>(request);
  BlockSession& session = *operation.session;
  if (!operation.transfers()) session.set_busy_aside(false);
  now_ = monotonic_now();
  BlockStats& stats = session.host().stats().block;
  count_done(stats, operation, outcome);
  add(stats.latency[latency_bucket(now_ - operation.taken)]);
  answer(session, operation.ring, operation.id, status_of(outcome));
  free_.push_back(&operation);
}

void BlockService::answer(BlockSession& session, std::uint32_t ring, std::uint32_t id,
                          std::uint32_t status) {
  if (status != VIRTIO_BLK_S_OK) add(session.host().stats().block.errors);
  session.answer(ring, id, status);
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
