// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/attack/attack.h"
#include "tests/attack/bare_session.h"
#include "tests/attack/master.h"
#include "tests/attack/net_master.h"

namespace cede::attack {
namespace {

constexpr std::uint32_t kHeardOf = 4096;  // bells, more than any queue has room for
constexpr int kPatience = 100'000;        // looks, a tenth of a millisecond apart

// Its own ends block from here on, and take as little as they can.
void clog(const test::OfferFds& fds) {
  const int least = 1;
  for (const int bell : {fds.kick.get(), fds.call.get()}) {
    (void)::fcntl(bell, F_SETFL, 0);
    (void)::setsockopt(bell, SOL_SOCKET, SO_RCVBUF, &least, sizeof least);
  }
}

void run(Client& client) {
  client.close(client.disk());
  BareSession session = take_offer(client, client.disk().grant);
  if (!connects(client, session.handle)) throw std::runtime_error("no session");
  clog(session.side.fds);
  Disk::Ring ring(session.side.mapping.data(), Client::kDiskGeometry.ring_shape());
  const std::uint64_t payload = Client::kDiskGeometry.data_offset();
  for (std::uint32_t round = 0;; ++round) {
    // The kick's queue is always full. The call's fills up: each answer asks for a bell, and no
    // bell is ever heard.
    while (::send(session.side.fds.kick.get(), "k", 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1) {
    }
    (void)ring.arm();
    ring.put({.type = VIRTIO_BLK_T_IN,
              .id = round % ring.slots(),
              .offset = payload,
              .length = kPageBytes});
    (void)ring.publish();
    block::Response response;
    for (int looks = 0; ring.take(response) != Verdict::Ready; ++looks) {
      if (looks == kPatience) return client.stage().broke("the driver answers no more");
      ::usleep(100);
    }
    // In the end nobody can be there to hear.
    if (round == kHeardOf) (void)::shutdown(session.side.fds.call.get(), SHUT_RD);
  }
}

// Whoever rings it from here on waits for somebody to hear it.
void clog(int call) {
  const std::uint64_t full = UINT64_MAX - 1;
  std::uint64_t heard = 0;
  while (::write(call, &full, sizeof full) < 0 && ::read(call, &heard, sizeof heard) > 0) {
  }
  (void)::fcntl(call, F_SETFL, 0);
}

void run_on_vhost_user(Master& master) {
  clog(master.disk().call_fd(0));
  // Not so deep that an answer had to be waited for: nobody hears the bell.
  for (std::uint32_t i = 0; i < Master::kDepth; ++i) master.read_on(Master::kMost);
}

// Of fresh queues, whose first frame rings the bell.
void run_on_vhost_user_net(NetMaster& master) {
  master.begin_anew();
  for (const std::uint16_t queue : {NetMaster::kReceive, NetMaster::kTransmit}) {
    clog(master.port().call_fd(queue));
  }
  for (std::uint32_t i = 0; i < NetMaster::kDepth; ++i) master.send();
}

const Entry entry{
    {.name = "clear-nonblock",
     .family = "revocation",
     .source = "a shared eventfd: O_NONBLOCK is the open file's; hangs a vhost-user server",
     .does = "makes its doorbells block, fills the queues of both and hears no bell",
     .holds = "the driver's own ends are other open files, and it waits for nobody",
     .run = &run,
     .on_vhost_user = &run_on_vhost_user,
     .on_vhost_user_net = &run_on_vhost_user_net}};

}  // namespace
}  // namespace cede::attack
