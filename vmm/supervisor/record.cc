// SPDX-License-Identifier: Apache-2.0
#include "vmm/supervisor/record.h"

#include <sys/mman.h>

#include <new>
#include <stdexcept>
#include <type_traits>

namespace cede::supervisor {

static_assert(std::is_trivially_copyable_v<Record>);

SharedRecord::SharedRecord() {
  void* memory =
      ::mmap(nullptr, sizeof(Memory), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::runtime_error("no memory for the system's record");
  memory_ = new (memory) Memory{};
}

SharedRecord::~SharedRecord() {
  ::munmap(memory_, sizeof(Memory));
}

const Record& SharedRecord::read() const noexcept {
  return memory_->copies[memory_->current.load(std::memory_order_acquire)];
}

void SharedRecord::write(const Record& record) noexcept {
  const std::uint32_t other = 1 - memory_->current.load(std::memory_order_relaxed);
  memory_->copies[other] = record;
  memory_->current.store(other, std::memory_order_release);
}

}  // namespace cede::supervisor
