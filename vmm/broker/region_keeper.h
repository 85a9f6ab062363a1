// SPDX-License-Identifier: Apache-2.0
// Holds every session's region from the first page to the proof that the last one is free.
//
//   make()    -> region_made(Ok), once the region is populated and its charge is visible at the
//                payer's cgroup, or region_made(why not)
//   offer()   what an Offer carries
//   seal()    the final seals, verified
//   let_go()  -> region_free(), once nobody holds a page any more
//
// Proof: the session's cgroup shows no page (see Charge). Its figures lag behind, so a zero counts
// only because make() has waited until they had once shown the whole region.
//
// Without a memory cgroup: both sides have said so, and the region's file is gone. inotify(7) tells
// that when the last descriptor, mapping and message in flight is no more. It does not tell of
// pages that io_uring or a pipe pins; for those there is nothing but the words.
//
// The owner is called from the event loop, never from within a call. One thread.
#pragma once

#include <sys/inotify.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>

#include "protocols/posix/fd.h"
#include "protocols/posix/page_batches.h"
#include "vmm/broker/memory_cgroup.h"

namespace cede::broker {

class RegionKeeper {
 public:
  class Owner {
   public:
    virtual void region_made(Handle session, Status status) = 0;
    virtual void region_free(Handle session) = 0;
    // Has each side said that it holds nothing, or is it dead?
    virtual bool word_given(Handle session) = 0;
    virtual ~Owner() = default;
  };

  // `cgroup` may be null.
  RegionKeeper(boost::asio::io_context& loop, MemoryCgroup* cgroup, Owner& owner)
      : loop_(loop), cgroup_(cgroup), owner_(owner) {}

  struct Parts {
    int memory = -1;  // stays the keeper's
    Fd kick;
    Fd call;
  };

  void make(Handle session, Handle payer, std::uint64_t bytes);
  // What goes to one side, from now on able to hold the pages; once for each. Its ends of the
  // doorbells are not to be kept a moment longer than it takes to send them: the last close of a
  // file can be made to hang by a domain that had it, too.
  [[nodiscard]] Parts offer(Handle session, bool to_driver);
  [[nodiscard]] Status seal(Handle session);
  void let_go(Handle session);

 private:
  struct Region {
    Handle session;
    std::uint64_t bytes = 0;
    boost::asio::steady_timer timer;
    std::chrono::milliseconds interval{0};
    std::uint64_t turn = 0;  // of the timer: only the latest step that was put off is taken
    std::string cgroup{};    // empty: none
    int watch = 0;           // inotify's number for the file; 0: the file is gone, or not watched
    Fd memory{};
    Parts for_driver{};  // the doorbells' ends, until they are sent
    Parts for_client{};
    std::optional<boost::asio::posix::stream_descriptor> child{};  // while it is being populated
    bool offered = false;                                          // somebody else may hold it
    bool let_go = false;
  };

  [[nodiscard]] Status start(Region& region, Handle payer);
  void populated(Region& region);
  void await_charge(Region& region);
  void finish(Region& region, Status made);
  void look_for_proof(Region& region);
  void look_at_files();
  void proven(Region& region);
  void later(Region& region, std::function<void(Region&)> step);

  boost::asio::io_context& loop_;
  MemoryCgroup* cgroup_;
  Owner& owner_;
  Fd inotify_{cgroup_ != nullptr ? -1 : ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)};
  std::unordered_map<std::uint32_t, Region> regions_;  // by the session's index
  PageBatches batches_;
};

}  // namespace cede::broker
