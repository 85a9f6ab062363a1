// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/ring/trial.h"

#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <exception>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "tests/bench/machine.h"
#include "tests/bench/ring/contenders.h"
#include "tests/bench/ring/conversation.h"
#include "tests/bench/ring/stopwatch.h"
#include "tests/bench/ring/waiting.h"

namespace cede::bench::ring {
namespace {

// Behind the ring in the arena: a line for each side's wish to be woken, and the backend's report.
constexpr std::size_t kFrontWish = kMaxBytes;
constexpr std::size_t kBackWish = kMaxBytes + 2 * kCacheLine;
constexpr std::size_t kReport = kMaxBytes + 4 * kCacheLine;
static_assert(kReport + 2 * kCacheLine <= kArenaBytes);

double seconds_on(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

// The share of the time that the calling thread had a processor, since this was made.
class BusyShare {
 public:
  [[nodiscard]] double read() const {
    return (seconds_on(CLOCK_THREAD_CPUTIME_ID) - processor_) /
           (seconds_on(CLOCK_MONOTONIC) - clock_);
  }

 private:
  double processor_ = seconds_on(CLOCK_THREAD_CPUTIME_ID);
  double clock_ = seconds_on(CLOCK_MONOTONIC);
};

// Gives the calling thread one of the first two processors, ahead of everybody else where we may
// say so.
void settle(std::size_t place) {
  const std::vector<int> places = allowed_processors();
  if (places.size() < 2) throw std::runtime_error("two processors are needed");
  if (!pin_to(places[place])) {
    throw std::system_error(errno, std::generic_category(), "cannot pin a thread");
  }
  constexpr int kFirst = -20;
  (void)::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kFirst);
}

// Runs the backend beside the frontend; the destructor waits until it has ended.
class BackThread {
 public:
  template <class Program>
  explicit BackThread(Program program)
      : thread_([this, program] {
          try {
            program();
          } catch (...) {
            failure_ = std::current_exception();
          }
        }) {}
  void join() {
    thread_.join();
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  std::exception_ptr failure_;
  std::jthread thread_;
};

class BackProcess {
 public:
  template <class Program>
  explicit BackProcess(Program program) : child_(::fork()) {
    if (child_ < 0) throw std::system_error(errno, std::generic_category(), "fork");
    if (child_ == 0) run(program);
  }
  BackProcess(const BackProcess&) = delete;
  BackProcess& operator=(const BackProcess&) = delete;
  ~BackProcess() {
    if (child_ == 0) return;
    ::kill(child_, SIGKILL);
    (void)::waitpid(child_, nullptr, 0);
  }
  void join() {
    int status = 0;
    if (::waitpid(std::exchange(child_, 0), &status, 0) < 0 || status != 0) {
      throw std::runtime_error("the backend's process failed");
    }
  }

 private:
  template <class Program>
  [[noreturn]] static void run(Program program) noexcept {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    try {
      program();
    } catch (...) {
      ::_exit(1);
    }
    ::_exit(0);
  }

  pid_t child_;
};

// Runs it in a thread that ends with it, so that the caller stays where it is.
template <class Program>
void in_thread(Program program) {
  BackThread thread(program);
  thread.join();
}

// A frontend's conversation, from its first request to the backend's farewell.
template <class Item, class Front, class Waiting>
Trial measure(Front& front, const Cell& cell, Waiting& waiting, std::chrono::nanoseconds duration) {
  Stopwatch watch(duration, cell.load);
  const BusyShare busy;
  const Tally tally = request_all<Item>(front, cell.load, waiting, watch);
  return {.rate = watch.rate(),
          .p50 = watch.trip(0.5),
          .p99 = watch.trip(0.99),
          .wrong = tally.wrong,
          .busy = busy.read()};
}

// Runs both programs until both have ended, each on a processor of its own.
template <class Beside, class FrontProgram, class BackProgram>
Trial side_by_side(Arena arena, FrontProgram front, BackProgram back) {
  Beside beside([&] {
    settle(1);
    const BusyShare busy;
    back();
    const double share = busy.read();
    std::memcpy(arena.back + kReport, &share, sizeof share);
  });
  Trial trial;
  in_thread([&] {
    settle(0);
    trial = front();
  });
  beside.join();
  double back_busy = 0;
  std::memcpy(&back_busy, arena.front + kReport, sizeof back_busy);
  trial.busy = std::min(trial.busy, back_busy);
  return trial;
}

template <class FrontProgram, class BackProgram>
Trial apart(Place place, Arena arena, FrontProgram front, BackProgram back) {
  return place == Place::Processes ? side_by_side<BackProcess>(arena, front, back)
                                   : side_by_side<BackThread>(arena, front, back);
}

template <Contender C>
Trial spin(const Cell& cell, Arena arena, std::chrono::nanoseconds duration) {
  using Item = typename C::Item;
  return apart(
      cell.place, arena,
      [&] {
        typename C::Front front(arena.front);
        Spinning waiting;
        return measure<Item>(front, cell, waiting, duration);
      },
      [&] {
        typename C::Back back(arena.back);
        Spinning waiting;
        answer_all<Item>(back, cell.load, waiting);
      });
}

// The end itself where it knows when its peer needs a doorbell.
template <class Item, class E>
auto wakeable(std::byte* memory, std::size_t own_wish, std::size_t peer_wish) {
  if constexpr (WakingEnd<E>) {
    return E(memory);
  } else {
    return Wakeable<Item, E>(memory, memory + own_wish, memory + peer_wish);
  }
}

template <Contender C>
Trial sleep(const Cell& cell, Arena arena, std::chrono::nanoseconds duration) {
  using Item = typename C::Item;
  const Bell kick;
  const Bell call;
  return apart(
      cell.place, arena,
      [&] {
        auto front = wakeable<Item, typename C::Front>(arena.front, kFrontWish, kBackWish);
        Sleeping waiting(call, kick);
        return measure<Item>(front, cell, waiting, duration);
      },
      [&] {
        auto back = wakeable<Item, typename C::Back>(arena.back, kBackWish, kFrontWish);
        Sleeping waiting(kick, call);
        answer_all<Item>(back, cell.load, waiting);
      });
}

// The frontend's wait is the backend's turn.
template <class Item, class Back>
class TakingTurns {
 public:
  TakingTurns(Back& back, Load load) : back_(back), load_(load) {}
  void publish(auto& end) { (void)end.publish(); }
  void rest(auto& /*front*/) { (void)answer_some<Item>(back_, load_, spinning_); }

 private:
  Back& back_;
  Load load_;
  Spinning spinning_;
};

template <Contender C>
Trial together(const Cell& cell, Arena arena, std::chrono::nanoseconds duration) {
  using Item = typename C::Item;
  Trial trial;
  in_thread([&] {
    settle(0);
    typename C::Front front(arena.front);
    typename C::Back back(arena.back);
    TakingTurns<Item, typename C::Back> waiting(back, cell.load);
    trial = measure<Item>(front, cell, waiting, duration);
  });
  return trial;
}

std::string_view to_string(Place place) {
  switch (place) {
    case Place::Processes:
      return "processes";
    case Place::Threads:
      return "threads";
    case Place::Together:
      break;
  }
  return "together";
}

}  // namespace

std::string Cell::name() const {
  return fmt::format("{}/{}/{}B/{}of{}", to_string(place), wait == Wait::Spin ? "spin" : "sleep",
                     slot_bytes, load.batch, load.window);
}

Trial run_trial(ContenderId contender, const Cell& cell, Arena arena,
                std::chrono::nanoseconds duration) {
  std::memset(arena.front, 0, kArenaBytes);
  return visit_contender(contender, cell.slot_bytes, [&]<class C>() {
    C::format(arena.front);
    if (cell.place == Place::Together) return together<C>(cell, arena, duration);
    return cell.wait == Wait::Spin ? spin<C>(cell, arena, duration)
                                   : sleep<C>(cell, arena, duration);
  });
}

}  // namespace cede::bench::ring
