// SPDX-License-Identifier: Apache-2.0
#include "frontend/vhost_user/vring.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <utility>

namespace cede::vhost_user {

void Vring::begin() noexcept {
  state_ = State::Running;
  armed_ = true;
  // An earlier life may have died between giving chains back and saying so.
  interrupt();
}

void Vring::set_call(Fd fd) noexcept {
  call_ = std::move(fd);
  if (running()) interrupt();
}

void Vring::break_down(std::string_view reason) noexcept {
  spdlog::warn("a queue is stopped, its guest broke the virtio rules: {}", reason);
  state_ = State::Broken;
  signal(error_);
}

void Vring::signal(const Fd& fd) noexcept {
  // An eventfd of our own client's VMM: should that block us, the client has only muted itself.
  const std::uint64_t one = 1;
  if (fd) (void)!::write(fd.get(), &one, sizeof one);
}

}  // namespace cede::vhost_user
