# SPDX-License-Identifier: Apache-2.0
# Attacks that are found to work: each against a program with one of its defences taken out. An
# attack that no such program fails before proves nothing about a sound one.
include(${PROJECT_SOURCE_DIR}/tests/mutant.cmake)

# weakened(NAME PROGRAM target SOURCE file [FILE header that SOURCE includes, instead of SOURCE]
#   FROM text TO text ATTACK name... [PHASE milliseconds] SHOWS what is held against the system)
#
# The program is linked from the sound one's objects and libraries, and the one object compiled
# anew, which comes before the archive's. One thing more is needed for a header: everything else
# that uses the changed part of it must be of that object, too.
function(weakened name)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "" "PROGRAM;SOURCE;FILE;FROM;TO;PHASE;SHOWS" "ATTACK")
  if(NOT ARG_FILE)
    set(ARG_FILE ${ARG_SOURCE})
  endif()
  if(NOT ARG_PHASE)
    set(ARG_PHASE 1000)
  endif()
  cede_mutant(${ARG_FILE} ${name} FROM "${ARG_FROM}" TO "${ARG_TO}" RESULT folder)
  set(source ${PROJECT_SOURCE_DIR}/${ARG_SOURCE})
  if(ARG_FILE STREQUAL ARG_SOURCE)
    set(source ${folder}/${ARG_SOURCE})
  endif()
  set(target weakened-${name})
  add_executable(${target} EXCLUDE_FROM_ALL ${source} $<TARGET_OBJECTS:${ARG_PROGRAM}>)
  get_target_property(libraries ${ARG_PROGRAM} LINK_LIBRARIES)
  target_link_libraries(${target} PRIVATE ${libraries} fmt::fmt spdlog::spdlog Boost::headers)
  cede_uses_mutant(${target} ${folder})
  set_target_properties(${target} PROPERTIES OUTPUT_NAME ${ARG_PROGRAM}
    RUNTIME_OUTPUT_DIRECTORY ${folder}/programs)
  add_dependencies(weakened-programs ${target})
  foreach(attack IN LISTS ARG_ATTACK)
    attack_is_found(weak.${name}.${attack} "${ARG_SHOWS}"
      --phase ${ARG_PHASE} --weakened ${folder}/programs ${attack})
  endforeach()
endfunction()

# The expression alone decides: it is printed with exit status 3, and with no other.
function(attack_is_found name shows)
  add_test(NAME attack.${name} COMMAND cede-attack run --quick ${ARGN})
  set_tests_properties(attack.${name} PROPERTIES LABELS weakened TIMEOUT 300
    PASS_REGULAR_EXPRESSION "FAILED: ${shows}")
endfunction()

add_custom_target(weakened-programs)

# fails_where_revocable(ATTACK SHOWS): memory that a client can take back is a weakness, too.
function(fails_where_revocable attack shows)
  attack_is_found(revocable.${attack} "${shows}" --phase 1000 --system revocable ${attack})
endfunction()

fails_where_revocable(grow "the region grows")
fails_where_revocable(io-uring-calls "IORING_OP_WRITE")
fails_where_revocable(madvise-remove "MADV_REMOVE by the mapping")
fails_where_revocable(map-again "a second writable mapping")
fails_where_revocable(punch-as-driver "the region is cut off")
fails_where_revocable(punch-hole "a hole is punched into the region")
fails_where_revocable(reopen "written to by another open file")
fails_where_revocable(truncate "the region is cut to nothing")
fails_where_revocable(write-by-file "pwrite")

weakened(no_overrun_check PROGRAM cede-driver SOURCE driver_vm/block/block_session.cc
  FILE protocols/ring.h
  FROM "snapshot - next_ > limit" TO "snapshot - next_ > limit && limit > RingShape::kMaxSlots"
  ATTACK runaway-producer producer-backwards SHOWS "the attacker was not cut off")
weakened(any_request_id PROGRAM cede-driver SOURCE driver_vm/block/block_session.cc
  FROM "const std::uint32_t id = taken.request.id;"
  TO "const std::uint32_t id = taken.request.id %= static_cast<std::uint32_t>(ring.ids.size());"
  ATTACK ids-beyond-ring SHOWS "the attacker was not cut off")
weakened(sectors_unchecked PROGRAM cede-driver SOURCE driver_vm/block/block_service.cc
  FILE driver_vm/block/request_check.h
  FROM "request.sector > info.sectors || length > info.sectors - request.sector"
  TO "request.sector > info.sectors && length != 0"
  ATTACK wrong-sectors SHOWS "a request that makes no sense is done")
weakened(lengths_unchecked PROGRAM cede-driver SOURCE driver_vm/block/block_service.cc
  FILE driver_vm/block/request_check.h
  FROM "request.length == 0 || request.length > (erase ? info.max_erase : info.max_transfer)"
  TO "false"
  ATTACK wrong-lengths SHOWS "a request that makes no sense is done")
weakened(flags_unchecked PROGRAM cede-driver SOURCE driver_vm/block/block_service.cc
  FILE driver_vm/block/request_check.h
  FROM "(request.flags & ~known_flags) != 0" TO "known_flags > Request::kUnmap"
  ATTACK unknown-types SHOWS "a request that makes no sense is done")
weakened(extents_unchecked PROGRAM cede-driver SOURCE driver_vm/block/block_service.cc
  FILE driver_vm/block/request_check.h
  FROM "!geometry.holds(request.offset, request.length)" TO "geometry.pages == 0"
  ATTACK wrong-offsets SHOWS "the attacker was not cut off")

weakened(size_seals_alone PROGRAM cede-broker SOURCE vmm/broker/region.cc
  FROM "Status seal_region(int region, std::uint64_t bytes) {"
  TO "Status seal_region(int region, std::uint64_t bytes) {
  if (bytes != 0) return Status::Ok;"
  ATTACK punch-hole SHOWS "a hole is punched")
weakened(free_without_proof PROGRAM cede-broker SOURCE vmm/broker/region_keeper.cc
  FROM "if (!region.offered) return proven(region);" TO "return proven(region);"
  ATTACK keeps-mapping SHOWS "pages that it has mapped are given back")
# The model's mutations, in a real broker.
function(weakened_core mutation)
  weakened(core_${mutation} PROGRAM cede-broker SOURCE vmm/broker/shell.cc
    FILE vmm/broker/core/turn.h
    FROM "return mutation == kSeed;" TO "return mutation == Mutation::${mutation};" ${ARGN})
endfunction()

weakened_core(AnyoneMayClose
  ATTACK foreign-sessions SHOWS "the broker takes its word for another's session")
weakened_core(DeadlineWithoutKill ATTACK never-release SHOWS "the attacker was not cut off")
weakened_core(OldGenerationsWork
  ATTACK old-generation SHOWS "the broker takes the handle of a closed session")
weakened_core(RowsKeepGeneration ATTACK double-close SHOWS "the handle of a closed session works on")
weakened_core(AnyoneMayRevoke ATTACK foreign-handles SHOWS "request .* has an effect")
weakened_core(PaidAtLetGo ATTACK release-early SHOWS "the broker does not answer")
weakened_core(DeathLosesAccount ATTACK ten-thousand-lives SHOWS ".*broker died")
weakened(replies_unbounded PROGRAM cede-broker SOURCE vmm/broker/domain_link.cc
  FROM "return end(\"it does not read its messages\")" TO "return"
  ATTACK unread-replies SHOWS "the attacker was not cut off")
# Holes are seen twice, in the file and in its charge: both are overruled.
weakened(holes_unseen PROGRAM cede-broker SOURCE vmm/broker/shell.cc
  FROM ".status = regions_.seal(subject)"
  TO ".status = (static_cast<void>(regions_.seal(subject)), Status::Ok)"
  ATTACK punch-early SHOWS "a region with holes is connected")
weakened(seals_believed PROGRAM cede-broker SOURCE vmm/broker/region.cc
  FROM "(seals & kFinalSeals) == kFinalSeals" TO "(seals & kSizeSeals) == kSizeSeals"
  ATTACK seal-first SHOWS "a session is connected without its final seals")
weakened(geometry_unchecked PROGRAM cede-broker SOURCE vmm/broker/shell.cc
  FROM "if (connects && !message.geometry.valid()) return Status::Invalid;" TO ""
  ATTACK size-lies SHOWS "a session is made of")
weakened(branches_unbounded PROGRAM cede-broker SOURCE vmm/broker/shell.cc
  FILE vmm/broker/core/state.h
  FROM "kBranchDomains = 16" TO "kBranchDomains = 128"
  ATTACK domains-until-refused SHOWS "one client makes 64 domains")
weakened(bells_that_block PROGRAM cede-driver SOURCE driver_vm/session_host/socket_capability.cc
  FILE protocols/posix/doorbell.h
  FROM "&bell, sizeof bell, MSG_DONTWAIT | MSG_NOSIGNAL" TO "&bell, sizeof bell, MSG_NOSIGNAL"
  ATTACK clear-nonblock PHASE 3000 SHOWS "nothing is completed any more")

weakened(foreign_sources PROGRAM cede-switch SOURCE driver_vm/net/port_spec.cc
  FROM "(!port.spoofing && frame.source() != mac_of(port.mac))" TO "false"
  ATTACK mac-flapping SHOWS "a frame from another's address is taken")

weakened(headers_believed PROGRAM cede-switch SOURCE driver_vm/net/frame.cc
  FROM "!net::consistent(header, length, net::Offload::kAll)" TO "false"
  ATTACK header-lies SHOWS "a header that contradicts its frame is taken")
weakened(arp_unguarded PROGRAM cede-switch SOURCE driver_vm/net/port_spec.cc
  FROM "(sender == own || sender == INADDR_ANY)" TO "own != INADDR_ANY"
  ATTACK arp-spoof SHOWS "an ARP reply for another's address is taken")
weakened(tiny_buffers_taken PROGRAM cede-switch SOURCE driver_vm/net/receive_queue.cc
  FROM "buffer.length < net::kMinBuffer ||" TO ""
  ATTACK tiny-buffers SHOWS "the attacker was not cut off")
weakened(any_buffer PROGRAM cede-switch SOURCE driver_vm/net/receive_queue.cc
  FROM "|| !geometry_.holds(buffer.offset, buffer.length)" TO ""
  ATTACK ring-page-buffers SHOWS "the attacker was not cut off")

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
