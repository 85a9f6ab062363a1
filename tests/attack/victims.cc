// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/victims.h"

#include <algorithm>
#include <array>
#include <exception>
#include <thread>

#include "tests/bench/net/load.h"
#include "tests/support/pattern.h"

namespace cede::attack {
namespace {

const bench::Workload kDiskLoad{
    .name = "victim", .write = false, .random = true, .bytes = 4096, .depth = 32};

// A piece of the disk that is read at once.
constexpr std::uint32_t kPiece = 128 << 10;

}  // namespace

Victims::Victims(const std::string& disk_socket, const bench::RamImage& image,
                 std::uint64_t disk_bytes, const Namespaces* namespaces)
    : disk_(disk_socket), content_(test::pattern(disk_bytes, 1)), namespaces_(namespaces) {
  image.write(0, content_);
  await_echo();
}

Victims::Victims(const Namespaces& namespaces) : namespaces_(&namespaces) {
  await_echo();
}

void Victims::await_echo() const {
  if (namespaces_ != nullptr) bench::wait_until_joined(*namespaces_);
}

VictimSample Victims::work(std::chrono::milliseconds duration) {
  VictimSample sample;
  std::exception_ptr failure;
  std::thread network([&] {
    if (namespaces_ == nullptr) return;
    try {
      sample.network = bench::run_slow_ping(*namespaces_, duration, bench::Meter({}));
    } catch (...) {
      failure = std::current_exception();
    }
  });
  try {
    if (disk_) sample.disk = bench::run_load(*disk_, kDiskLoad, content_.size(), duration);
  } catch (...) {
    network.join();
    throw;
  }
  network.join();
  if (failure) std::rethrow_exception(failure);
  return sample;
}

bool Victims::disk_is_unharmed() {
  if (!disk_) return true;
  disk_->prepare(1, kPiece);
  for (std::size_t offset = 0; offset < content_.size(); offset += kPiece) {
    disk_->submit(0, false, offset / 512);
    disk_->publish();
    std::array<bench::Done, 1> done;
    const auto begun = bench::now_ns();
    while (disk_->poll(done) == 0) {
      if (bench::now_ns() - begun > bench::kStuckNs) throw std::runtime_error("a read is stuck");
      disk_->wait(1000);
    }
    const auto expected = std::span(content_).subspan(offset, kPiece);
    if (!done[0].ok || !std::ranges::equal(disk_->buffer(0), expected)) return false;
  }
  return true;
}

}  // namespace cede::attack
