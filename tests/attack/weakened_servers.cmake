# SPDX-License-Identifier: Apache-2.0
# Drivers and switches with one defence taken out each; see weakened.cmake.

# The ring's check of what its peer has published, in one of its users.
function(no_overrun_check of)
  weakened(no_overrun_check_of_${of} FILE protocols/ring.h
    FROM "snapshot - next_ > limit" TO "snapshot - next_ > limit && limit > RingShape::kMaxSlots"
    ${ARGN})
endfunction()

no_overrun_check(requests PROGRAM cede-driver SOURCE driver_vm/block/block_session.cc
  ATTACK runaway-producer producer-backwards SHOWS "the attacker was not cut off")
no_overrun_check(control PROGRAM cede-switch SOURCE driver_vm/net/net_session.cc
  ATTACK runaway-control SHOWS "the attacker was not cut off")
no_overrun_check(frames PROGRAM cede-switch SOURCE driver_vm/net/net_service.cc
  ATTACK runaway-transmit SHOWS "the attacker was not cut off")
no_overrun_check(buffers PROGRAM cede-switch SOURCE driver_vm/net/receive_queue.cc
  ATTACK runaway-receive SHOWS "the receive ring is let pass")

weakened(serves_at_once PROGRAM cede-driver SOURCE driver_vm/block/block_session.cc
  FILE driver_vm/block/block_session.h
  FROM "bool serving_ = false;" TO "bool serving_ = true;"
  ATTACK early-map SHOWS "the driver answers before the session is connected")
weakened(any_request_id PROGRAM cede-driver SOURCE driver_vm/block/block_session.cc
  FROM "const std::uint32_t id = taken.request.id;"
  TO "const auto id = taken.request.id %= static_cast<std::uint32_t>(ring.flights.size());"
  ATTACK ids-beyond-ring SHOWS "the attacker was not cut off")
weakened(ids_unchecked PROGRAM cede-driver SOURCE driver_vm/block/block_session.cc
  FROM "if (id >= ring.flights.size() ||" TO "if ("
  ATTACK slot-fuzz PHASE 3000 SHOWS "disk0 died")
weakened(shared_request_ids PROGRAM cede-driver SOURCE driver_vm/block/block_session.cc
  FROM "|| ring.flights[id].pieces != 0" TO ""
  ATTACK duplicate-ids SHOWS "disk0 died")
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
# What was judged is read again, from the slot that has its id. An answered slot has its status
# where a request has its id.
weakened(requests_read_twice PROGRAM cede-driver SOURCE driver_vm/block/block_service.cc
  FROM "  session.charge_operation();
  return run(session, taken);"
  TO "  const std::byte* slot = session.host().memory() + RingShape::kSlots;
  for (std::uint32_t i = 0; i < session.host().geometry().slots; ++i, slot += block::kSlotBytes) {
    const auto& now = *reinterpret_cast<const Request*>(slot);
    if (now.id > VIRTIO_BLK_S_UNSUPP && now.id == request.id) taken.request = now;
  }
  session.charge_operation();
  return run(session, taken);"
  ATTACK flip-request SHOWS "the victim's data are in the attacker's pages")
# The extent alone, and so late that somebody else can have changed it.
weakened(extents_read_twice PROGRAM cede-driver SOURCE driver_vm/block/block_service.cc
  FROM "  session.charge_operation();
  return run(session, taken);"
  TO "  const std::uint64_t judged = request.offset;
  const std::byte* slot = session.host().memory() + RingShape::kSlots;
  for (std::uint32_t i = 0; i < session.host().geometry().slots; ++i, slot += block::kSlotBytes) {
    const auto& now = *reinterpret_cast<const volatile Request*>(slot);
    if (now.id <= VIRTIO_BLK_S_UNSUPP || now.id != request.id) continue;
    if (now.type != request.type || now.sector != request.sector) continue;
    for (int n = 0; n < 10000 && request.offset == judged; ++n) taken.request.offset = now.offset;
  }
  session.charge_operation();
  return run(session, taken);"
  ATTACK flip-extent SHOWS "(violation [0-9]+ is let pass|the driver writes over the ring)")
weakened(never_unpinned PROGRAM cede-driver SOURCE driver_vm/session_host/hosted_session.cc
  FROM "loop_.unpin(buffer_)" TO "buffer_ = EventLoop::kNotPinned"
  ATTACK connect-churn exit-in-mid-io SHOWS "disk0 died")
weakened(ports_never_unpinned PROGRAM cede-switch SOURCE driver_vm/session_host/hosted_session.cc
  FROM "loop_.unpin(buffer_)" TO "buffer_ = EventLoop::kNotPinned"
  ATTACK port-churn SHOWS "net0 died")
weakened(bells_that_block PROGRAM cede-driver SOURCE driver_vm/session_host/socket_capability.cc
  FILE protocols/posix/doorbell.h
  FROM "&bell, sizeof bell, MSG_DONTWAIT | MSG_NOSIGNAL" TO "&bell, sizeof bell, MSG_NOSIGNAL"
  ATTACK clear-nonblock PHASE 3000 SHOWS "nothing is completed any more")
# It is rung until it is heard.
weakened(bells_insisted_on PROGRAM cede-driver SOURCE driver_vm/session_host/socket_capability.cc
  FILE protocols/posix/doorbell.h
  FROM "[[maybe_unused]] const ssize_t done =
        ::send(fd_.get(), &bell, sizeof bell, MSG_DONTWAIT | MSG_NOSIGNAL);"
  TO "while (::send(fd_.get(), &bell, sizeof bell, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
    }"
  ATTACK deaf-doorbell PHASE 3000 SHOWS "nothing is completed any more")
# Whoever rings without end makes the driver deaf to the others, too.
weakened(deaf_to_all PROGRAM cede-driver SOURCE driver_vm/session_host/hosted_session.cc
  FROM "if (const Duration deaf = guard_.judge(now); deaf != 0) {"
  TO "static Instant storm_until = 0;
  Duration deaf = guard_.judge(now);
  if (deaf != 0) storm_until = now + deaf;
  if (now < storm_until && masked_until_ == kNever) deaf = storm_until - now;
  if (deaf != 0) {"
  ATTACK doorbell-storm never-read-responses PHASE 3000 SPEED
  SHOWS "the victim's disk had [1-4]?[0-9] % of its fair share")
# An answer is kept back until the event that its client asked for, which an honest one's is never
# ahead of.
weakened(events_believed PROGRAM cede-driver SOURCE driver_vm/block/block_session.cc
  FILE protocols/ring.h
  FROM "if (old == next_) return false;"
  TO "if (old == next_) return false;
    const std::uint32_t wanted = event_.load(std::memory_order_relaxed);
    if (static_cast<std::int32_t>(wanted - next_) > 0) return false;"
  ATTACK event-games PHASE 8000
  SHOWS "a client whose events are nonsense is answered no more")

weakened(all_aside PROGRAM cede-driver SOURCE driver_vm/block/block_session.cc
  FROM "if (!busy_aside_ || taken.request.transfers())" TO "if (!held_)"
  ATTACK zero-storm SPEED SHOWS "the victim's disk had [1-4]?[0-9] % of its fair share")
# The driver's own thread waits for a slow medium: everybody does.
weakened(disk_waited_for PROGRAM cede-driver SOURCE driver_vm/block/inline_disk.cc
  FROM "switch (request.kind) {"
  TO "const Duration wait =
      request.kind == DiskRequest::Kind::Read ? 0 : kMillisecond + request.length;
  for (const Instant begun = monotonic_now(); monotonic_now() - begun < wait;) {
  }
  switch (request.kind) {"
  ATTACK discard-storm flush-storm large-hog noisy-neighbour same-block SPEED
  SHOWS "the victim's disk had [1-4]?[0-9] % of its fair share")
weakened(endless_turns PROGRAM cede-driver SOURCE driver_vm/block/block_service.cc
  FILE driver_vm/scheduler.h
  FROM "if (share.credit > 0)" TO "if (share.waiting)"
  ATTACK depth-hog SPEED SHOWS "the victim's disk had [1-4]?[0-9] % of its fair share")

weakened(foreign_sources PROGRAM cede-switch SOURCE driver_vm/net/port_spec.cc
  FROM "(!port.spoofing && frame.source() != mac_of(port.mac))" TO "false"
  ATTACK mac-flapping SHOWS "a frame from another's address is taken")
# An answer to the attacker is forbidden for its source, and for what it says as well.
weakened(frames_unjudged PROGRAM cede-switch SOURCE driver_vm/net/net_service.cc
  FROM "refused = refuse(port.spec, frame_);" TO "refused;"
  ATTACK overlapping-buffers SHOWS "what was received is sent from its sender's address")
weakened(arp_unguarded PROGRAM cede-switch SOURCE driver_vm/net/port_spec.cc
  FROM "(sender == own || sender == INADDR_ANY)" TO "own != INADDR_ANY"
  ATTACK arp-spoof SHOWS "an ARP reply for another's address is taken")
weakened(giants_taken PROGRAM cede-switch SOURCE driver_vm/net/port_spec.cc
  FROM "if (frame.network_length() > port.mtu) return Drop::Malformed;" TO ""
  ATTACK runts-and-giants SHOWS "a runt or a giant is taken")
weakened(headers_believed PROGRAM cede-switch SOURCE driver_vm/net/frame.cc
  FROM "!net::consistent(header, length, net::Offload::kAll)" TO "false"
  ATTACK header-lies SHOWS "a header that contradicts its frame is taken")
# What was judged is sent from where the client can still write.
weakened(frames_read_twice PROGRAM cede-switch SOURCE driver_vm/net/frame.cc
  FROM "std::span(head_.data() + begin_ - room, head_size_ + room)"
  TO "tagged ? std::span<const std::byte>(head_.data() + begin_ - room, head_size_ + room)
             : std::span(rest_ - head_size_, head_size_)"
  ATTACK flip-frame PHASE 3000 SHOWS "packets of others' come to the attacker")
weakened(any_offload PROGRAM cede-switch SOURCE driver_vm/net/net_session.cc
  FROM "(value & ~std::uint64_t{Offload::kAll}) != 0 ||" TO ""
  ATTACK control-fuzz SHOWS "what cannot be is granted")
weakened(tiny_buffers_taken PROGRAM cede-switch SOURCE driver_vm/net/receive_queue.cc
  FROM "buffer.length < net::kMinBuffer ||" TO ""
  ATTACK tiny-buffers SHOWS "the attacker was not cut off")
weakened(any_buffer PROGRAM cede-switch SOURCE driver_vm/net/receive_queue.cc
  FROM "|| !geometry_.holds(buffer.offset, buffer.length)" TO ""
  ATTACK ring-page-buffers SHOWS "the attacker was not cut off")
weak_too(any_buffer ATTACK port-slot-fuzz SHOWS "net0 died")
weakened(answers_with_residue PROGRAM cede-switch SOURCE driver_vm/net/net_service.cc
  FILE driver_vm/net/transmit_queue.h
  FROM "ring_.put({.verdict = verdict});"
  TO "ring_.put({.verdict = verdict, .reserved = batch_[0].length + 1});"
  ATTACK response-residue SHOWS "there is more in the port's pages than the answers")
weakened(buffers_supposed PROGRAM cede-switch SOURCE driver_vm/net/receive_queue.cc
  FROM "      return Put::NoBuffer;" TO "      break;"
  ATTACK no-buffers SHOWS "the attacker was cut off")
weakened(room_supposed PROGRAM cede-switch SOURCE driver_vm/net/receive_queue.cc
  FROM "while (room_ < length)" TO "while (room_ == 0)"
  ATTACK one-buffer SHOWS "the attacker gave up: the driver broke the ring")
weakened(flood_to_all PROGRAM cede-switch SOURCE driver_vm/net/net_service.cc
  FROM "(to_everybody || port.spec.spoofing) &&" TO ""
  ATTACK table-exhaustion SHOWS "a frame to nobody is refused")
weakened(storms_unbounded PROGRAM cede-switch SOURCE driver_vm/net/net_service.cc
  FROM "if (!port.floods.open(now_))" TO "if (count > Scheduler::kMaxClients)"
  ATTACK broadcast-storm PHASE 4000 SHOWS "broadcasts without end are taken")
# What has no room at its receiver waits there; up to a point, or the machine would suffer.
weakened(frames_queued PROGRAM cede-switch SOURCE driver_vm/net/net_service.cc
  FROM "case ReceiveQueue::Put::NoBuffer:"
  TO "case ReceiveQueue::Put::NoBuffer:
        static std::vector<std::byte> waiting;
        if (waiting.size() < 64 << 20) waiting.resize(waiting.size() + length);"
  ATTACK frame-flood tso-flood SHOWS "the drivers kept")
