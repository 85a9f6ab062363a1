// SPDX-License-Identifier: Apache-2.0
#include "frontend/vhost_user/blk_device.h"

#include <spdlog/spdlog.h>

#include <array>
#include <utility>

#include "frontend/vhost_user/blk_config.h"

namespace cede::vhost_user {

using frontend::Completion;
using frontend::Extent;
using frontend::Operation;

namespace {

// So many requests are shown to the driver at a time, for it to begin while we copy the next ones.
constexpr std::uint32_t kPublishEvery = 8;

}  // namespace

BlkDevice::BlkDevice(const Geometry& geometry, bool read_only)
    : geometry_(geometry), rules_{.info = {}, .read_only = read_only}, queues_(geometry.rings) {}

std::uint64_t BlkDevice::features() const noexcept {
  return blk_features(rules_, queues());
}

void BlkDevice::accept(std::uint64_t features) noexcept {
  rules_.write_through = (features & bit(VIRTIO_BLK_F_FLUSH)) == 0;
}

std::uint64_t BlkDevice::protocol_features() const noexcept {
  return bit(protocol_feature::kConfig) | bit(protocol_feature::kInflightShmfd);
}

VirtioDevice::ConfigSpace BlkDevice::config() const noexcept {
  return blk_config(rules_, queues());
}

Status BlkDevice::start_queue(std::uint16_t index, const QueueSetup& setup, std::uint32_t base,
                              InflightQueue record, bool outlives) {
  return queues_[index].start(memory(), setup, static_cast<std::uint16_t>(base), record, outlives);
}

void BlkDevice::rebind() noexcept {
  for (BlkQueue& queue : queues_) queue.rebind(memory());
}

Status BlkDevice::connect(frontend::Session session) {
  Result<frontend::BlockDevice> attached = frontend::BlockDevice::attach(std::move(session));
  if (!attached) return attached.status();
  const block::Info& now = attached->info();
  spdlog::info("{}: connected, {} sectors", name(), now.sectors);
  if (!known_) rules_.info = now;
  known_ = true;
  if (now.sectors < rules_.info.sectors || now.logical_block != rules_.info.logical_block) {
    spdlog::error(
        "{}: the volume came back with {} sectors of {}-byte blocks instead of {} of {}; "
        "every request fails from now on",
        name(), now.sectors, now.logical_block, rules_.info.sectors, rules_.info.logical_block);
    lost_volume_ = true;
  }
  session_.emplace(std::move(*attached));
  const std::uint32_t operations = session_->slots() * session_->rings();
  in_flight_.assign(operations, {});
  free_.clear();
  for (std::uint32_t i = operations; i > 0; --i) free_.push_back(i - 1);
  orphans_ = 0;
  return Status::Ok;
}

void BlkDevice::disconnect() {
  session_.reset();
  in_flight_.clear();
  free_.clear();
  orphans_ = 0;
  for (BlkQueue& queue : queues_) queue.restart_all();
}

std::uint32_t BlkDevice::stop_queue(std::uint16_t index) noexcept {
  for (InFlight& operation : in_flight_) {
    if (!operation.used || operation.orphan || operation.queue != index) continue;
    operation.orphan = true;
    ++orphans_;
  }
  return queues_[index].stop();
}

bool BlkDevice::draining(std::uint16_t index) const noexcept {
  return queues_[index].running() && queues_[index].unanswered() != 0 && session_.has_value();
}

// A request that is executed anew must not run beside its earlier self: the older write could land
// after a younger one. So what stopped queues left at the driver comes home first.
bool BlkDevice::may_submit() const noexcept {
  return lost_volume_ || (session_ && !session_->broken() && orphans_ == 0);
}

bool BlkDevice::progress() {
  for (BlkQueue& queue : queues_) queue.disarm();
  moved_ = false;
  if (session_) reap();
  if (may_submit()) submit();
  for (BlkQueue& queue : queues_) queue.publish();
  if (session_) session_->publish();
  return moved_;
}

bool BlkDevice::arm() {
  bool more = false;
  if (may_submit() && !starved_) {
    for (BlkQueue& queue : queues_) more |= queue.arm();
  }
  if (session_ && !session_->arm()) more |= !session_->broken();
  return more;
}

void BlkDevice::reap() {
  std::array<Completion, 64> done;
  std::size_t count = 0;
  do {
    count = session_->poll(done);
    for (const Completion& completion : std::span(done).first(count)) complete(completion);
    moved_ |= count != 0;
  } while (count == done.size());
}

void BlkDevice::complete(const Completion& completion) {
  InFlight& operation = in_flight_[completion.cookie];
  operation.used = false;
  free_.push_back(static_cast<std::uint32_t>(completion.cookie));
  if (operation.orphan) {
    operation.orphan = false;
    --orphans_;
    if (operation.extent.length != 0) session_->release(operation.extent);
    return;
  }
  BlkQueue& queue = queues_[operation.queue];
  BlkRequest& request = queue.request(operation.head);
  std::uint32_t status = completion.status;
  if (operation.extent.length != 0) {
    if (request.is_read() && status == VIRTIO_BLK_S_OK &&
        !request.data().write(memory(), operation.offset, session_->bytes(operation.extent))) {
      status = VIRTIO_BLK_S_IOERR;
    }
    session_->release(operation.extent);
  }
  request.finished_step(status);
  if (queue.is_front(operation.head)) return;
  if (request.done()) {
    queue.finish(memory(), operation.head);
  } else if (request.has_step()) {
    queue.resume(operation.head);
  }
}

void BlkDevice::submit() {
  starved_ = false;
  const std::uint16_t first = turn_;
  for (std::uint16_t i = 0; i < queues(); ++i) {
    const auto index = static_cast<std::uint16_t>((first + i) % queues());
    BlkQueue& queue = queues_[index];
    // A driver that refills its ring without end gets no more than a ring's worth at a time.
    for (std::uint32_t taken = 0; taken < SplitQueue::kMaxSize; ++taken) {
      BlkRequest* request = queue.front(memory(), rules_);
      if (request == nullptr) break;
      if (lost_volume_) request->fail(VIRTIO_BLK_S_IOERR);
      if (!submit_steps(index, *request)) {
        // Nobody overtakes it, or large requests would wait for ever behind small ones.
        turn_ = index;
        starved_ = true;
        return;
      }
      moved_ = true;
      queue.submitted();
      if (session_ && (taken + 1) % kPublishEvery == 0) session_->publish();
      if (request->done()) queue.finish(memory(), request->chain().head);
    }
  }
  turn_ = static_cast<std::uint16_t>((first + 1) % queues());
}

bool BlkDevice::submit_steps(std::uint16_t queue, BlkRequest& request) {
  while (request.has_step()) {
    if (!submit_step(queue, request)) return false;
  }
  return true;
}

// False: there is no room for it now.
bool BlkDevice::submit_step(std::uint16_t queue, BlkRequest& request) {
  const auto ring = static_cast<std::uint16_t>(queue % session_->rings());
  if (session_->free_slots(ring) == 0) return false;
  const BlkRequest::Step step = request.step(session_->max_transfer());
  Operation operation{.kind = step.kind, .sector = step.sector, .cookie = free_.back()};
  std::uint64_t offset = 0;
  if (step.kind == Operation::Kind::Read || step.kind == Operation::Kind::Write) {
    const std::optional<Extent> extent = session_->allocate(step.bytes);
    if (!extent) return false;
    operation.payload = *extent;
    offset = request.data_offset() + step.offset;
  } else {
    operation.erase_bytes = step.bytes;
    operation.unmap = step.unmap;
  }
  const bool copied = step.kind != Operation::Kind::Write ||
                      request.data().read(memory(), offset, session_->bytes(operation.payload));
  const Status status = copied ? session_->submit(operation, ring) : Status::Invalid;
  if (status != Status::Ok) {
    if (operation.payload.length != 0) session_->release(operation.payload);
    if (status == Status::Broken || status == Status::Busy) return false;
    request.fail(VIRTIO_BLK_S_IOERR);
    return true;
  }
  in_flight_[free_.back()] = {queue, request.chain().head, true, false, offset, operation.payload};
  free_.pop_back();
  request.started(step);
  moved_ = true;
  return true;
}

}  // namespace cede::vhost_user
