// SPDX-License-Identifier: Apache-2.0
// A disk that delays and reorders whatever it is asked for, and forgets what was not flushed when
// the power fails; and the engine by which a driver's life uses it.
//
// The medium outlives the lives of its driver. What a dead life had asked for is dropped, or half
// done, or done late, from the pages of the life's sessions: as a real disk's DMA would, which is
// why the life has to keep them until nothing is left (busy()).
//
// The medium has a thread of its own; its interface is for all threads.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "driver_vm/block/disk.h"

namespace cede::test {

class FickleMedium {
 public:
  static constexpr std::size_t kBlock = 512;

  // What a block holds: eight bytes, over and over.
  using Value = std::uint64_t;
  static constexpr Value kMixed = UINT64_MAX;  // no value: different bytes in one block

  // Defects, each of which the tests have to notice.
  enum class Defect {
    None,
    ForgetsFlushes,        // answers them, and that is all
    CacheDiesWithDriver,   // what was answered and not flushed is lost with the driver's life
    RepeatsAnsweredWrite,  // after a life's end, as a frontend would that replays what was answered
  };

  FickleMedium(std::size_t blocks, unsigned seed, Defect defect)
      : defect_(defect), random_(seed), blocks_(blocks, std::vector<Version>(1)) {
    thread_ = std::thread([this] { run(); });
  }
  FickleMedium(const FickleMedium&) = delete;
  FickleMedium& operator=(const FickleMedium&) = delete;
  ~FickleMedium() {
    {
      const std::scoped_lock lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_one();
    thread_.join();
  }

  [[nodiscard]] std::size_t blocks() const noexcept { return blocks_.size(); }

  // Of each block, one of the versions that a flush does not bind it to leave behind.
  [[nodiscard]] std::vector<Value> after_power_loss() {
    const std::scoped_lock lock(mutex_);
    std::vector<Value> values;
    for (const std::vector<Version>& versions : blocks_) {
      values.push_back(versions[random_() % versions.size()].value);
    }
    return values;
  }

  [[nodiscard]] static Value value_of(const std::byte* block) noexcept {
    std::array<Value, kBlock / sizeof(Value)> words;
    std::memcpy(words.data(), block, kBlock);
    const bool one =
        std::all_of(words.begin(), words.end(), [&](Value w) { return w == words[0]; });
    return one ? words[0] : kMixed;
  }
  static void fill(std::byte* block, Value value) noexcept {
    for (std::size_t i = 0; i < kBlock; i += sizeof value) {
      std::memcpy(block + i, &value, sizeof value);
    }
  }

  // One life's way to the medium.
  class Disk final : public driver::Disk {
   public:
    explicit Disk(FickleMedium& medium) : medium_(medium) {
      facts_.bytes = medium.blocks() * kBlock;
      facts_.logical_block = kBlock;
      facts_.physical_block = kBlock;
      facts_.can_punch = true;
    }

    [[nodiscard]] const driver::DiskFacts& facts() const noexcept override { return facts_; }
    void attach(driver::DiskClient& client) noexcept override { client_ = &client; }
    void start(driver::DiskRequest& request) override { medium_.begin(*this, request); }
    void settle() noexcept override {}

    // Tells the client what is finished. True: there was something.
    bool poll() {
      std::deque<driver::DiskRequest*> finished;
      {
        const std::scoped_lock lock(medium_.mutex_);
        finished.swap(finished_);
      }
      for (driver::DiskRequest* request : finished) {
        client_->finished(*request, driver::DiskOutcome::Ok);
      }
      return !finished.empty();
    }
    // The life is over: nobody hears of anything any more.
    void die() { medium_.bury(*this); }
    // Some request of this life is still under way.
    [[nodiscard]] bool busy() {
      const std::scoped_lock lock(medium_.mutex_);
      return std::any_of(medium_.commands_.begin(), medium_.commands_.end(),
                         [this](const Command& command) { return command.disk == this; });
    }

   private:
    friend class FickleMedium;
    FickleMedium& medium_;
    driver::DiskFacts facts_;
    driver::DiskClient* client_ = nullptr;
    std::deque<driver::DiskRequest*> finished_;  // the medium's lock
    bool dead_ = false;                          // the medium's lock
  };

 private:
  using Clock = std::chrono::steady_clock;
  using Microseconds = std::chrono::microseconds;

  struct Version {
    Value value = 0;
    std::uint64_t written = 0;  // counts what the medium did
  };
  struct Command {
    Disk* disk = nullptr;
    driver::DiskRequest* request = nullptr;
    Clock::time_point due;
    std::uint64_t begun = 0;
  };
  // An answered write, for the defect that repeats one.
  struct Echo {
    std::size_t first = 0;
    std::vector<Value> values{};
    Clock::time_point due = Clock::time_point::max();
  };

  // Most are quick, some take so long that many others overtake them.
  [[nodiscard]] Microseconds delay() {
    return Microseconds(random_() % 16 == 0 ? random_() % 4000 : random_() % 200);
  }

  void begin(Disk& disk, driver::DiskRequest& request) {
    {
      const std::scoped_lock lock(mutex_);
      commands_.push_back({&disk, &request, Clock::now() + delay(), done_});
    }
    changed_.notify_one();
  }

  void bury(Disk& disk) {
    const std::scoped_lock lock(mutex_);
    disk.dead_ = true;
    disk.finished_.clear();
    for (Command& command : commands_) {
      if (command.disk != &disk) continue;
      command.due += Microseconds(random_() % 20'000);
      // Dropped, or cut off after some of its blocks.
      const std::size_t whole = command.request->length / kBlock;
      if (random_() % 2 == 0) {
        command.request->length = static_cast<std::uint32_t>(random_() % (whole + 1) * kBlock);
      }
    }
    if (defect_ == Defect::CacheDiesWithDriver) {
      for (std::vector<Version>& versions : blocks_) versions.resize(1);
    }
    if (defect_ == Defect::RepeatsAnsweredWrite && !echoes_.empty()) {
      echoes_[random_() % echoes_.size()].due = Clock::now() + Microseconds(random_() % 20'000);
    }
    changed_.notify_one();
  }

  void run() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      const auto now = Clock::now();
      auto next = now + std::chrono::seconds(1);
      for (std::size_t i = 0; i < commands_.size();) {
        if (commands_[i].due > now) {
          next = std::min(next, commands_[i++].due);
          continue;
        }
        const Command command = commands_[i];
        commands_.erase(commands_.begin() + static_cast<std::ptrdiff_t>(i));
        execute(command);
        if (!command.disk->dead_) command.disk->finished_.push_back(command.request);
      }
      for (Echo& echo : echoes_) {
        if (echo.due > now) continue;
        for (std::size_t j = 0; j < echo.values.size(); ++j) put(echo.first + j, echo.values[j]);
        echo.due = Clock::time_point::max();
      }
      changed_.wait_until(lock, next);
    }
  }

  void execute(const Command& command) {
    using Kind = driver::DiskRequest::Kind;
    const driver::DiskRequest& request = *command.request;
    const std::size_t first = request.offset / kBlock;
    const std::size_t count = request.length / kBlock;
    ++done_;
    switch (request.kind) {
      case Kind::Read:
        for (std::size_t i = 0; i < count; ++i) {
          fill(request.memory + i * kBlock, blocks_[first + i].back().value);
        }
        return;
      case Kind::Write:
        for (std::size_t i = 0; i < count; ++i) {
          put(first + i, value_of(request.memory + i * kBlock));
        }
        if (!command.disk->dead_) remember(first, count);
        return;
      case Kind::Discard:
      case Kind::WriteZeroes:
        for (std::size_t i = 0; i < count; ++i) put(first + i, 0);
        return;
      case Kind::Flush:
        if (defect_ != Defect::ForgetsFlushes) flush(command.begun);
        return;
    }
  }

  void put(std::size_t block, Value value) { blocks_[block].push_back({value, done_}); }

  // What had been done when the flush was begun stays, or is overwritten; no more is promised.
  void flush(std::uint64_t begun) {
    for (std::vector<Version>& versions : blocks_) {
      const auto younger = std::find_if(versions.begin(), versions.end(),
                                        [&](const Version& v) { return v.written > begun; });
      if (younger != versions.begin()) versions.erase(versions.begin(), younger - 1);
    }
  }

  void remember(std::size_t first, std::size_t count) {
    if (defect_ != Defect::RepeatsAnsweredWrite) return;
    Echo echo{.first = first};
    for (std::size_t i = 0; i < count; ++i) echo.values.push_back(blocks_[first + i].back().value);
    echoes_.push_back(std::move(echo));
    if (echoes_.size() > 64) echoes_.pop_front();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  const Defect defect_;
  std::mt19937 random_;
  std::vector<std::vector<Version>> blocks_;  // from the last that is safe to the present one
  std::vector<Command> commands_;
  std::deque<Echo> echoes_;
  std::uint64_t done_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace cede::test
