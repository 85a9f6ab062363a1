// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <string>

#include "tests/attack/attack.h"
#include "tests/attack/bare_session.h"
#include "tests/attack/net_master.h"

namespace cede::attack {
namespace {

struct Lie {
  const char* what;
  Geometry geometry;
};

constexpr std::array kLies{
    Lie{"no pages", {.pages = 0, .rings = 1, .slot_bytes = 32, .slots = 128}},
    Lie{"a region of no power of two", {.pages = 3, .rings = 1, .slot_bytes = 32, .slots = 128}},
    Lie{"more pages than the account has",
        {.pages = 4096, .rings = 1, .slot_bytes = 32, .slots = 128}},
    Lie{"a region of 1 GiB", {.pages = 1U << 18, .rings = 1, .slot_bytes = 32, .slots = 128}},
    Lie{"a region whose bytes wrap",
        {.pages = 1U << 20, .rings = 1, .slot_bytes = 32, .slots = 128}},
    Lie{"half of all numbers", {.pages = 1U << 31, .rings = 1, .slot_bytes = 32, .slots = 128}},
    Lie{"no rings", {.pages = 64, .rings = 0, .slot_bytes = 32, .slots = 128}},
    Lie{"too many rings", {.pages = 1024, .rings = 17, .slot_bytes = 32, .slots = 2}},
    Lie{"all rings", {.pages = 1024, .rings = 0xFFFF, .slot_bytes = 32, .slots = 4096}},
    Lie{"no slots", {.pages = 64, .rings = 1, .slot_bytes = 32, .slots = 0}},
    Lie{"slots of no power of two", {.pages = 64, .rings = 1, .slot_bytes = 32, .slots = 127}},
    Lie{"too many slots", {.pages = 64, .rings = 1, .slot_bytes = 32, .slots = 8192}},
    Lie{"slots that wrap", {.pages = 64, .rings = 1, .slot_bytes = 32, .slots = 1U << 31}},
    Lie{"slots of no size", {.pages = 64, .rings = 1, .slot_bytes = 0, .slots = 128}},
    Lie{"slots of an odd size", {.pages = 64, .rings = 1, .slot_bytes = 33, .slots = 128}},
    Lie{"huge slots", {.pages = 64, .rings = 1, .slot_bytes = 0x8000, .slots = 128}},
    Lie{"no room for payload", {.pages = 2, .rings = 1, .slot_bytes = 32, .slots = 128}},
    Lie{"rings that do not fit", {.pages = 16, .rings = 16, .slot_bytes = 32, .slots = 4096}},
};

// Well-formed, so the broker makes it; but a block slot does not fit.
constexpr Geometry kNotADisk{.pages = 16, .rings = 1, .slot_bytes = 8, .slots = 128};

void run(Client& client) {
  test::Domain& broker = client.broker();
  const Handle grant = client.disk().grant;
  client.close(client.disk());
  while (true) {
    for (const auto& [what, geometry] : kLies) {
      if (!broker.connect(grant, geometry)) continue;
      return client.stage().broke(std::string("a session is made of ") + what);
    }
    const Result<Handle> session = broker.connect(grant, kNotADisk);
    if (!session) return client.stage().broke("the last session's pages do not come home");
    (void)broker.await(MessageType::Closing, *session);
    if (broker.has(MessageType::Connected, *session)) {
      return client.stage().broke("the driver serves a ring that its slots do not fit");
    }
    give_back(client, {*session, {}});
  }
}

// A region four times as long as its file, and a frame beyond the file's end.
void run_on_vhost_user_net(NetMaster& master) {
  using namespace vhost_user;
  test::VhostUserNetClient& port = master.port();
  struct stat memory {};
  (void)::fstat(port.memory_fd(), &memory);
  const auto size = static_cast<std::uint64_t>(memory.st_size);
  const struct {
    MemoryTableHeader header{1, 0};
    MemoryRegion region;
  } table{.region = {test::VhostUserNetClient::kGuestBase, 4 * size,
                     reinterpret_cast<std::uintptr_t>(port.ring(0).place()), 0}};
  const int fd = port.memory_fd();
  if (port.connection().acknowledged(Request::SetMemTable, table, std::span(&fd, 1)) != 0) return;
  master.stage().note("a region is taken that is longer than its file");
  master.begin_anew();
  const test::GuestRing::Buffer beyond{test::VhostUserNetClient::kGuestBase + 2 * size, 64, false};
  master.send_chain(std::span(&beyond, 1));
}

const Entry entry{{.name = "size-lies",
                   .family = "revocation",
                   .source = "vhost-user: region sizes and ring addresses that the client dictates",
                   .does = "connects with regions and rings of every wrong shape",
                   .holds = "none is made, none is larger than what its client can pay",
                   .run = &run,
                   .on_vhost_user_net = &run_on_vhost_user_net}};

}  // namespace
}  // namespace cede::attack
