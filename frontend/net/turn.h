// SPDX-License-Identifier: Apache-2.0
// A queue's share of one pass of its process, so that a flood of large frames, as of small ones,
// leaves the other devices of the same client what is theirs.
#pragma once

#include <cstdint>

namespace cede::frontend {

class Turn {
 public:
  // `per_frame`: what a frame costs beside its bytes, in bytes.
  explicit constexpr Turn(std::uint32_t per_frame) noexcept : per_frame_(per_frame) {}

  // The frame that ends it may go beyond it.
  [[nodiscard]] constexpr bool over() const noexcept { return spent_ >= kBytes; }
  constexpr void spend(std::uint32_t bytes) noexcept { spent_ += per_frame_ + bytes; }

 private:
  // Some 100 us of copying and of the kernel's work.
  static constexpr std::uint32_t kBytes = 256 * 1024;

  std::uint32_t per_frame_;
  std::uint32_t spent_ = 0;
};

}  // namespace cede::frontend
