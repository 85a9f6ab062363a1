# SPDX-License-Identifier: Apache-2.0
# Brokers, frontends and supervisors with one defence taken out each; see weakened.cmake.

weakened(size_seals_alone PROGRAM cede-broker SOURCE vmm/broker/region.cc
  FROM "Status seal_region(int region, std::uint64_t bytes) {"
  TO "Status seal_region(int region, std::uint64_t bytes) {
  if (bytes != 0) return Status::Ok;"
  ATTACK punch-hole SHOWS "a hole is punched")
weakened(seals_believed PROGRAM cede-broker SOURCE vmm/broker/region.cc
  FROM "(seals & kFinalSeals) == kFinalSeals" TO "(seals & kSizeSeals) == kSizeSeals"
  ATTACK seal-first SHOWS "a session is connected without its final seals")
# Holes are seen twice, in the file and in its charge: both are overruled.
weakened(holes_unseen PROGRAM cede-broker SOURCE vmm/broker/shell.cc
  FROM ".status = regions_.seal(subject)"
  TO ".status = (static_cast<void>(regions_.seal(subject)), Status::Ok)"
  ATTACK punch-early SHOWS "a region with holes is connected")
# What is not home at once never is.
weakened(proof_sought_once PROGRAM cede-broker SOURCE vmm/broker/region_keeper.cc
  FROM "    batches_.empty();
  }
  later(region, [this](Region& it) { look_for_proof(it); });"
  TO "    batches_.empty();
  }"
  ATTACK park-descriptors SHOWS "the attacker's pages do not come home")
weakened(geometry_unchecked PROGRAM cede-broker SOURCE vmm/broker/shell.cc
  FROM "if (connects && !message.geometry.valid()) return Status::Invalid;" TO ""
  ATTACK size-lies SHOWS "a session is made of")
weakened(free_without_proof PROGRAM cede-broker SOURCE vmm/broker/region_keeper.cc
  FROM "if (!region.offered) return proven(region);" TO "return proven(region);"
  ATTACK keeps-mapping SHOWS "pages that it has mapped are given back")
weak_too(free_without_proof ATTACK never-let-go
  SHOWS "the disk has a second session while the first is mapped")
weakened(open_cgroups PROGRAM cede-broker SOURCE vmm/broker/memory_cgroup.cc
  FROM "::mkdir(dir.c_str(), 0755) == 0"
  TO "::mkdir(dir.c_str(), 0755) == 0 && ::chmod(dir.c_str(), 0777) == 0"
  ATTACK squeeze-cgroup SHOWS "a cgroup of its own is made")

weakened(replies_unbounded PROGRAM cede-broker SOURCE vmm/broker/domain_link.cc
  FROM "return end(\"it does not read its messages\")" TO "return"
  ATTACK unread-replies SHOWS "the attacker was not cut off")
weak_too(replies_unbounded ATTACK event-flood PHASE 4000
  SHOWS "events without end wait for somebody who does not read")
weakened(any_size PROGRAM cede-broker SOURCE vmm/broker/domain_link.cc
  FROM "received == static_cast<ssize_t>(sizeof message)" TO "received > 0"
  ATTACK half-messages SHOWS "a packet of 1 bytes is accepted")
# Descriptors are refused twice, at their sender and by their receiver: both are overruled.
weakened(descriptors_taken PROGRAM cede-broker SOURCE vmm/broker/domain_link.cc
  FROM "constexpr int kPassRights = 83;"
  TO "#undef MSG_CTRUNC
#define MSG_CTRUNC 0
constexpr int kPassRights = 0;"
  ATTACK descriptor-to-broker SHOWS "the broker takes a descriptor and goes on")
weak_too(descriptors_taken ATTACK descriptor-flood PHASE 12000
  SHOWS "the broker takes descriptors")

weakened(branches_unbounded PROGRAM cede-broker SOURCE vmm/broker/shell.cc
  FILE vmm/broker/core/state.h
  FROM "kBranchDomains = 16" TO "kBranchDomains = 128"
  ATTACK domains-until-refused SHOWS "one client makes 64 domains")
weakened(sessions_unbounded PROGRAM cede-broker SOURCE vmm/broker/shell.cc
  FILE vmm/broker/core/state.h
  FROM "kBranchGrants = 64;
  static constexpr std::uint32_t kBranchSessions = 64;"
  TO "kBranchGrants = 512;
  static constexpr std::uint32_t kBranchSessions = 512;"
  ATTACK connect-until-refused PHASE 5000 SHOWS "one client can have far too many sessions")
weakened(words_repeated PROGRAM cede-broker SOURCE vmm/broker/shell.cc
  FILE vmm/broker/core/sessions.h
  FROM "if (!party.holds()) return Status::WrongState;" TO ""
  ATTACK release-twice SHOWS "it lets go twice")
weakened(parents_listen PROGRAM cede-broker SOURCE vmm/broker/shell.cc
  FILE vmm/broker/core/turn.h
  FROM "if (alive(domain)) out.add("
  TO "const std::uint32_t parent = state.domains[domain].parent;
    if (parent != kRoot && kind != Effect::Kind::Offer) tell(parent, kind, subject, status);
    if (alive(domain)) out.add("
  ATTACK event-eavesdrop SHOWS "somebody hears of what is none of its own")
# No room for all that one death can bring about.
weakened(few_effects PROGRAM cede-broker SOURCE vmm/broker/shell.cc
  FILE vmm/broker/core/turn.h
  FROM "3 * Limits::kSessions + 2 * Limits::kDomains + Limits::kGrants"
  TO "Limits::kBranchSessions"
  ATTACK long-teardown SHOWS "broker died")

# The model's mutations, in a real broker.
function(weakened_core mutation)
  weakened(core_${mutation} PROGRAM cede-broker SOURCE vmm/broker/shell.cc
    FILE vmm/broker/core/turn.h
    FROM "return mutation == kSeed;" TO "return mutation == Mutation::${mutation};" ${ARGN})
endfunction()

weakened_core(AnyoneMayClose
  ATTACK foreign-sessions SHOWS "the broker takes its word for another's session")
weak_too(core_AnyoneMayClose ATTACK message-fuzz PHASE 3000
  SHOWS "a made-up message has an effect")
weakened_core(DeadlineWithoutKill ATTACK never-release SHOWS "the attacker was not cut off")
weakened_core(OldGenerationsWork
  ATTACK old-generation SHOWS "the broker takes the handle of a closed session")
weakened_core(RowsKeepGeneration
  ATTACK double-close SHOWS "the handle of a closed session works on")
weakened_core(AnyoneMayRevoke ATTACK foreign-handles SHOWS "request .* has an effect")
weak_too(core_AnyoneMayRevoke
  ATTACK request-flood SHOWS "a request that is nobody's right has an effect")
weakened_core(DeviceShared
  ATTACK driver-event-flood SHOWS "a device has a session more while its last one is there")
weakened_core(PaidAtLetGo ATTACK release-early SHOWS "the broker does not answer")
weakened_core(DeathLosesAccount ATTACK ten-thousand-lives SHOWS ".*broker died")

weakened(answers_of_nothing PROGRAM cede-frontend SOURCE frontend/block/block_device.cc
  FROM "queue.flights[response.id].sequence == 0 ||" TO ""
  ATTACK duplicate-answers SHOWS "the attacker was not cut off")
weakened(any_id PROGRAM cede-frontend SOURCE frontend/block/block_device.cc
  FROM "response.id >= queue.flights.size() ||" TO ""
  ATTACK unknown-ids SHOWS "bob died")
weakened(any_status PROGRAM cede-frontend SOURCE frontend/block/block_device.cc
  FROM "|| response.status > VIRTIO_BLK_S_UNSUPP" TO ""
  ATTACK bad-status SHOWS "the attacker was not cut off")
weakened(any_disk PROGRAM cede-frontend SOURCE frontend/block/block_device.cc
  FROM "!info.valid() ||" TO ""
  ATTACK false-info SHOWS "its client takes such a disk")
# Ring, ids and status are checked one behind the other: whichever speaks, nobody listens.
weakened(broken_driver_kept PROGRAM cede-frontend SOURCE frontend/service.cc
  FROM "return device.device->broken() && !device.ending;" TO "return device.ending && false;"
  ATTACK runaway-responses response-fuzz SHOWS "the attacker was not cut off")
weakened(no_second_try PROGRAM cede-frontend SOURCE frontend/device_connection.cc
  FROM "state_ = grant_.valid() ? State::Waiting : State::NoGrant;" TO "state_ = State::NoGrant;"
  ATTACK broken-at-once PHASE 12000 SHOWS "its client does not come back")
weakened(refusals_unheard PROGRAM cede-frontend SOURCE frontend/device_connection.cc
  FROM "failure_ = reason;
      wait(now);"
  TO "failure_ = reason;
      if (state_ != State::Requested) wait(now);"
  ATTACK close-before-mapped SHOWS "the driver's client never gets on again")
weakened(requests_forgotten PROGRAM cede-frontend SOURCE frontend/vhost_user/blk_queue.cc
  FROM "    slot.request.restart();
    waiting_.push_back(slot.request.chain().head);"
  TO "    slot.request.restart();"
  ATTACK end-mid-io silence SHOWS "the driver's client never gets on again")
# A driver that rings without end makes its client deaf to all others, too.
weakened(client_deaf_to_all PROGRAM cede-frontend SOURCE frontend/call_watch.cc
  FROM "const std::chrono::nanoseconds deaf(
      guard_->judge(static_cast<std::uint64_t>(since_boot.count())));
  if (deaf == deaf.zero()) return;"
  TO "static TimePoint storm_until;
  std::chrono::nanoseconds deaf(guard_->judge(static_cast<std::uint64_t>(since_boot.count())));
  if (deaf != deaf.zero()) storm_until = now + deaf;
  if (now < storm_until && !deaf_until_) deaf = storm_until - now;
  if (deaf == deaf.zero()) return;"
  ATTACK call-storm PHASE 3000 SPEED SHOWS "the victim's echoes took")
# What is written goes to a second place, too.
weakened(more_than_asked PROGRAM cede-frontend SOURCE frontend/vhost_user/blk_device.cc
  FROM "request.data().read(memory(), offset, session_->bytes(operation.payload));"
  TO "(request.data().read(memory(), offset, session_->bytes(operation.payload)) &&
       request.data().read(memory(), offset,
                           session_->bytes({operation.payload.offset + (2 << 20), step.bytes})));"
  ATTACK peek-beyond PHASE 3000 SHOWS "it sees bytes of its client that no request brought")

weakened(one_uid PROGRAM cede-cli SOURCE vmm/supervisor/machine.cc
  FROM "next_uid++" TO "next_uid"
  ATTACK uid-tricks SHOWS "one of them is killed")
weakened(processors_unshared PROGRAM cede-cli SOURCE vmm/supervisor/processor_shares.cc
  FROM "if (!controller) return;" TO "return;"
  ATTACK spinner SPEED SHOWS "the victim's disk had [0-3]?[0-9] % of its fair share")
