// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/scale/fleet.h"

#include <fmt/format.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <span>
#include <stdexcept>
#include <system_error>

#include "tests/bench/interrupt.h"

namespace cede::bench {
namespace {

namespace fs = std::filesystem;

constexpr Geometry kGeometry{
    .pages = kFleetPages, .rings = 1, .slot_bytes = block::kSlotBytes, .slots = kFleetSlots};
static_assert(kGeometry.bytes() - kGeometry.data_offset() >= kFleetSlots * kFleetBlock);

constexpr std::uint32_t kTakenAtOnce = 64 << 10;
constexpr std::uint64_t kConnectNs = 60'000'000'000U;  // for all; then they are given up
constexpr int kLookMs = 10;  // retries of a client's are due without any message

// What each block of a client's volume begins with. A fresh region has only zeroes.
std::uint32_t owner_mark(std::uint32_t client) {
  return client + 1;
}

// KiB that the kernel charges to a memory cgroup.
double charged_in(const fs::path& cgroup) {
  std::ifstream usage(cgroup / "memory.usage_in_bytes");         // version 1
  if (!usage) usage = std::ifstream(cgroup / "memory.current");  // the unified one
  double bytes = 0;
  usage >> bytes;
  return bytes / 1024;
}

// Of that, what is in shared memory's files.
double shared_in(const fs::path& cgroup) {
  std::ifstream stat(cgroup / "memory.stat");
  double bytes = 0;
  for (std::string name; stat >> name >> bytes;) {
    if (name == "shmem") return bytes / 1024;
  }
  return 0;
}

// An epoll instance that names each of the files by its place in the list.
class FileSet {
 public:
  FileSet() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {}

  void add(int fd, std::size_t place) {
    epoll_event event{.events = EPOLLIN, .data = {.u64 = place}};
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
      throw std::system_error(errno, std::generic_category(), "epoll");
    }
  }

  // Calls `ready` with the place of each file that is readable, after `milliseconds` at most.
  template <class Ready>
  void wait(int milliseconds, Ready ready) {
    std::array<epoll_event, 64> events;
    const int count = ::epoll_wait(epoll_.get(), events.data(), events.size(), milliseconds);
    for (int i = 0; i < count; ++i) ready(events[static_cast<std::size_t>(i)].data.u64);
  }

 private:
  Fd epoll_;
};

}  // namespace

Fleet::Fleet(const RamImage& image, unsigned sessions, supervisor::Policy policy)
    : blocks_(image.bytes() / sessions / kFleetBlock),
      stack_(
          image,
          {.count = sessions, .pages = kFleetPages, .cgroup = cgroup_.path(), .policy = policy}) {
  for (std::uint32_t i = 0; i < sessions; ++i) {
    const std::uint32_t mark = owner_mark(i);
    for (std::uint64_t block = i * blocks_; block < (i + 1) * blocks_; ++block) {
      image.write(block * kFleetBlock, std::as_bytes(std::span(&mark, 1)));
    }
    clients_.push_back(std::make_unique<FrontendTarget>(stack_.take_client(i), kGeometry));
  }
}

std::vector<double> Fleet::connect() {
  FileSet files;
  for (std::size_t i = 0; i < clients_.size(); ++i) files.add(clients_[i]->control_fd(), i);
  std::vector<double> times;
  const std::uint64_t begin = now_ns();
  const auto converse = [&](std::size_t i) {
    if (clients_[i]->connected()) return;
    clients_[i]->converse();
    if (clients_[i]->connected()) times.push_back(static_cast<double>(now_ns() - begin) / 1e6);
  };
  std::uint64_t looked = 0;
  while (times.size() < clients_.size()) {
    throw_if_interrupted();
    const std::uint64_t now = now_ns();
    if (now - begin > kConnectNs) {
      throw std::runtime_error(
          fmt::format("only {} of {} sessions within a minute", times.size(), clients_.size()));
    }
    if (now - looked > std::uint64_t{kLookMs} * 1'000'000) {
      looked = now;
      for (std::size_t i = 0; i < clients_.size(); ++i) converse(i);
    }
    files.wait(kLookMs, converse);
  }
  return times;
}

FleetSample Fleet::read(std::uint32_t depth, std::chrono::nanoseconds duration) {
  FleetSample sample{.operations = std::vector<std::uint64_t>(clients_.size())};
  std::minstd_rand random(1);
  FileSet files;
  for (std::size_t i = 0; i < clients_.size(); ++i) {
    clients_[i]->prepare(depth, kFleetBlock);
    files.add(clients_[i]->device().wait_fd(), i);
  }
  const auto start_one = [&](FrontendTarget& client, std::uint32_t slot) {
    client.submit(slot, false, random() % blocks_ * (kFleetBlock / block::kSectorBytes));
  };

  const std::uint64_t begin = now_ns();
  const std::uint64_t end = begin + static_cast<std::uint64_t>(duration.count());
  for (const auto& client : clients_) {
    for (std::uint32_t slot = 0; slot < depth; ++slot) start_one(*client, slot);
    client->publish();
  }

  std::size_t in_flight = clients_.size() * depth;
  std::uint64_t last_progress = begin;
  std::array<Done, kFleetSlots> done;
  while (in_flight > 0) {
    const std::uint64_t now = now_ns();
    const bool go_on = now < end && !interrupted();
    bool worked = false;
    for (std::size_t i = 0; i < clients_.size(); ++i) {
      FrontendTarget& client = *clients_[i];
      const std::size_t count = client.poll(done);
      if (count == 0) continue;
      worked = true;
      for (const Done& one : std::span(done).first(count)) {
        if (!one.ok) ++sample.errors;
        if (go_on) start_one(client, one.slot);
      }
      if (go_on) {
        sample.operations[i] += count;
        client.publish();
      } else {
        in_flight -= count;
      }
    }
    if (go_on) sample.seconds = static_cast<double>(now_ns() - begin) / 1e9;
    if (worked) {
      last_progress = now;
    } else if (now - last_progress > kStuckNs) {
      throw std::runtime_error("nothing is completed any more");
    } else if (now - last_progress < kClientPollNs) {
      ::sched_yield();  // whoever has to work for us may be waiting for this very processor
    } else if (std::ranges::all_of(clients_, [](auto& client) { return client->device().arm(); })) {
      files.wait(1000, [&](std::size_t i) { clients_[i]->device().clear_wakeup(); });
    }
  }
  sample.errors += strangers(depth);
  return sample;
}

std::optional<Fleet::Charged> Fleet::charged() const {
  if (cgroup_.path().empty()) return std::nullopt;
  const Handle driver = stack_.driver_domain();
  const std::string drivers_name = fmt::format("{}-{}", driver.index, driver.generation);
  Charged charged;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(cgroup_.path())) {
    if (!entry.path().filename().string().starts_with("session-")) continue;
    const bool drivers = entry.path().parent_path().filename() == drivers_name;
    (drivers ? charged.driver : charged.clients) += charged_in(entry.path());
    charged.in_regions += shared_in(entry.path());
  }
  return charged;
}

void Fleet::take_back() {
  constexpr std::uint32_t kPieces = (kGeometry.bytes() - kGeometry.data_offset()) / kTakenAtOnce;
  for (const auto& client : clients_) {
    client->prepare(kPieces, kTakenAtOnce);
    for (std::uint32_t slot = 0; slot < kPieces; ++slot) {
      const std::span<std::byte> piece = client->buffer(slot);
      static_cast<void>(::madvise(piece.data(), piece.size(), MADV_REMOVE));
    }
  }
}

std::uint64_t Fleet::strangers(std::uint32_t depth) {
  std::uint64_t count = 0;
  for (std::uint32_t i = 0; i < clients_.size(); ++i) {
    for (std::uint32_t slot = 0; slot < depth; ++slot) {
      std::uint32_t owner = 0;
      std::memcpy(&owner, clients_[i]->buffer(slot).data(), sizeof owner);
      if (owner != owner_mark(i)) ++count;
    }
  }
  return count;
}

}  // namespace cede::bench
