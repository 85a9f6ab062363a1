// SPDX-License-Identifier: Apache-2.0
#include "vmm/broker/region_keeper.h"

#include <algorithm>

#include "protocols/posix/doorbell.h"
#include "vmm/broker/region.h"

namespace cede::broker {

using ErrorCode = boost::system::error_code;
using Milliseconds = std::chrono::milliseconds;

void RegionKeeper::make(Handle session, Handle payer, std::uint64_t bytes) {
  Region fresh{session, bytes, boost::asio::steady_timer(loop_)};
  Region& region = regions_.emplace(session.index, std::move(fresh)).first->second;
  const Status status = start(region, payer);
  if (status != Status::Ok) later(region, [this, status](Region& it) { finish(it, status); });
}

Status RegionKeeper::start(Region& region, Handle payer) {
  Result<Fd> memory = make_region(region.bytes);
  Result<DoorbellEnds> kick = make_doorbell();
  Result<DoorbellEnds> call = make_doorbell();
  if (!memory || !kick || !call) return Status::IoError;
  region.memory = *std::move(memory);
  const int file = region.memory.get();
  region.for_driver = {file, std::move(kick->waiter), std::move(call->ringer)};
  region.for_client = {file, std::move(kick->ringer), std::move(call->waiter)};
  if (cgroup_ != nullptr) {
    region.cgroup = cgroup_->of_session(payer, region.session);
    if (cgroup_->add_session(region.cgroup) != Status::Ok) return Status::IoError;
  } else {
    look_at_files();  // so that the kernel's queue never fills up
    const std::string path = "/proc/self/fd/" + std::to_string(file);
    region.watch = ::inotify_add_watch(inotify_.get(), path.c_str(), IN_DELETE_SELF);
    if (region.watch < 0) return Status::IoError;
  }
  Result<Fd> child = start_populating(file, region.bytes, region.cgroup);
  if (!child) return child.status();
  region.child.emplace(loop_, child->release());
  // The region stays where it is for as long as it has a child.
  region.child->async_wait(region.child->wait_read, [this, &region](const ErrorCode& error) {
    if (!error) populated(region);
  });
  return Status::Ok;
}

void RegionKeeper::populated(Region& region) {
  const Status status = finish_populating(region.child->native_handle());
  region.child.reset();
  if (status != Status::Ok || region.cgroup.empty() || region.let_go) return finish(region, status);
  await_charge(region);
}

void RegionKeeper::await_charge(Region& region) {
  const auto charge = cgroup_->charge(region.cgroup);
  if (charge && charge->covers(region.bytes)) return finish(region, Status::Ok);
  later(region, [this](Region& it) { await_charge(it); });
}

void RegionKeeper::finish(Region& region, Status made) {
  if (region.let_go) return proven(region);  // it never left the broker
  owner_.region_made(region.session, made);
}

RegionKeeper::Parts RegionKeeper::offer(Handle session, bool to_driver) {
  Region& region = regions_.at(session.index);
  region.offered = true;
  return std::exchange(to_driver ? region.for_driver : region.for_client, {});
}

Status RegionKeeper::seal(Handle session) {
  const Region& region = regions_.at(session.index);
  const Status status = seal_region(region.memory.get(), region.bytes);
  if (status != Status::Ok || region.cgroup.empty()) return status;
  // Holes that were punched and filled again are charged to somebody else, and proven by nobody.
  const auto charge = cgroup_->charge(region.cgroup);
  return charge && charge->covers(region.bytes) ? Status::Ok : Status::Broken;
}

void RegionKeeper::let_go(Handle session) {
  Region& region = regions_.at(session.index);
  region.let_go = true;
  region.memory.reset();
  region.for_driver = {};
  region.for_client = {};
  if (region.child) return stop_populating(region.child->native_handle());
  region.interval = {};
  later(region, [this](Region& it) { look_for_proof(it); });
}

void RegionKeeper::look_for_proof(Region& region) {
  if (!region.offered) return proven(region);
  if (region.cgroup.empty()) {
    look_at_files();
    if (region.watch == 0 && owner_.word_given(region.session)) return proven(region);
  } else {
    const auto charge = cgroup_->charge(region.cgroup);
    if (charge && charge->none()) return proven(region);
    batches_.empty();
  }
  later(region, [this](Region& it) { look_for_proof(it); });
}

// Whatever the kernel says about a watch, it says because the file is gone.
void RegionKeeper::look_at_files() {
  inotify_event event;
  while (::read(inotify_.get(), &event, sizeof event) > 0) {
    for (auto& [index, region] : regions_)
      if (region.watch == event.wd) region.watch = 0;
  }
}

void RegionKeeper::proven(Region& region) {
  if (!region.cgroup.empty()) cgroup_->discard(region.cgroup);
  const Handle session = region.session;
  regions_.erase(session.index);
  owner_.region_free(session);
}

// Takes `step` after a while that doubles each time, from none to a tenth of a second. A step that
// was put off before this one is forgotten.
void RegionKeeper::later(Region& region, std::function<void(Region&)> step) {
  region.timer.expires_after(region.interval);
  region.interval = std::clamp(2 * region.interval, Milliseconds(2), Milliseconds(100));
  region.timer.async_wait([this, session = region.session, turn = ++region.turn,
                           step = std::move(step)](const ErrorCode& error) {
    const auto found = regions_.find(session.index);
    if (error || found == regions_.end() || found->second.session != session) return;
    if (found->second.turn == turn) step(found->second);
  });
}

}  // namespace cede::broker
