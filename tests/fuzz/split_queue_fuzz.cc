// SPDX-License-Identifier: Apache-2.0
// A virtqueue, its in-flight record and the requests in it, all of the guest's making.
//
// Input: the set-up's bytes, then an image of guest memory. What is checked: nothing is read or
// written out of bounds (the sanitizers), every walk ends, and a request that was taken gets
// through its steps to an answer.
#include <cstring>

#include "frontend/vhost_user/blk_request.h"
#include "frontend/vhost_user/inflight.h"
#include "frontend/vhost_user/split_queue.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/unit/vhost_user/memory_file.h"

namespace {

using namespace cede;
using namespace cede::vhost_user;

constexpr std::size_t kBytes = 64U << 10;
constexpr std::size_t kRecordBytes = 64 + 16 * 64;

// Two neighbouring regions, so that buffers can lie over their seam.
struct Guest {
  Guest() {
    const bool shared =
        memory.add({test::kGuest, kBytes / 2, test::kUser, 0}, file.fd()) == Status::Ok &&
        memory.add({test::kGuest + kBytes / 2, kBytes / 2, test::kUser + kBytes / 2, kBytes / 2},
                   file.fd()) == Status::Ok;
    fuzz::require(shared, "guest memory can be shared");
  }
  test::MemoryFile file{kBytes};
  test::MemoryFile record{kRecordBytes};
  GuestMemory memory;
};

BlkRules rules() {
  BlkRules rules;
  rules.info.sectors = 1U << 20;
  rules.info.logical_block = rules.info.physical_block = 512;
  rules.info.max_transfer = 4096;
  rules.info.max_erase = 65536;
  rules.info.features = block::Info::kFlush | block::Info::kDiscard | block::Info::kWriteZeroes;
  rules.write_through = true;
  return rules;
}

void carry_out(const GuestMemory& memory, SplitQueue& queue, BlkRequest& request) {
  std::byte buffer[4096] = {};
  while (!request.done()) {
    fuzz::require(request.has_step(), "a request that is not done has a step");
    const BlkRequest::Step step = request.step(sizeof buffer);
    request.started(step);
    std::uint32_t status = VIRTIO_BLK_S_OK;
    if (step.kind == BlkRequest::Kind::Read || step.kind == BlkRequest::Kind::Write) {
      const std::uint64_t offset = request.data_offset() + step.offset;
      const auto piece = std::span(buffer).first(step.bytes);
      const bool copied = request.is_read() ? request.data().write(memory, offset, piece)
                                            : request.data().read(memory, offset, piece);
      if (!copied) status = VIRTIO_BLK_S_IOERR;
    }
    request.finished_step(status);
  }
  queue.put(request.chain().head, request.answer(memory));
  (void)queue.publish();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Guest guest;
  fuzz::Input input(data, size);
  const auto size_log = input.below(13);
  const auto flags = input.take<std::uint8_t>();
  const auto next_available = input.take<std::uint16_t>();
  // Offsets into the image.
  const auto descriptors = input.take<std::uint16_t>();
  const auto available = input.take<std::uint16_t>();
  const auto used = input.take<std::uint16_t>();
  const auto record_image = input.take_bytes(input.take<std::uint16_t>() % kRecordBytes);
  const auto image = input.take_bytes(kBytes);
  std::memset(guest.record.at(0), 0, kRecordBytes);
  std::memcpy(guest.record.at(0), record_image.data(), record_image.size());
  std::memset(guest.file.at(0), 0, kBytes);
  std::memcpy(guest.file.at(0), image.data(), image.size());

  SplitQueue queue;
  const SplitQueue::Setup setup{.size = 1U << size_log,
                                .descriptors = test::kUser + descriptors,
                                .available = test::kUser + available,
                                .used = test::kUser + used,
                                .event_index = (flags & 1) != 0,
                                .indirect = (flags & 2) != 0};
  if (queue.start(guest.memory, setup) != Status::Ok) return 0;
  queue.set_next_available(next_available);
  BlkRequest request;

  InflightQueue record(guest.record.at(0), 64);
  if (const auto heads = record.recover(setup.size, queue.used_index())) {
    for (const std::uint16_t head : *heads) {
      fuzz::require(head < setup.size, "a recovered head is one of the queue's");
      if (queue.fetch(guest.memory, head, request.chain()) != Verdict::Ready) return 0;
      if (!request.prepare(guest.memory, rules())) return 0;
      carry_out(guest.memory, queue, request);
      record.giving_back(head);
      record.given_back(queue.used_index());
    }
  }
  // Answers land in guest memory and can make more of it available: one ring's worth is enough.
  for (std::uint32_t taken = 0; taken < setup.size; ++taken) {
    if (queue.take(guest.memory, request.chain()) != Verdict::Ready) break;
    if (!request.prepare(guest.memory, rules())) break;
    carry_out(guest.memory, queue, request);
  }
  (void)queue.arm();
  queue.disarm();
  return 0;
}
