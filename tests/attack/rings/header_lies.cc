// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include "tests/attack/attack.h"
#include "tests/attack/client.h"
#include "tests/attack/net_master.h"
#include "tests/attack/network.h"
#include "tests/attack/random.h"

namespace cede::attack {
namespace {

std::uint16_t edge(Random& random) {
  return random.among<std::uint16_t>(
      {0, 1, 2, 13, 14, 33, 34, 48, 65, 66, 1000, 1448, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF});
}

// The header with some of its fields at another edge of what can be said.
net::Header lie(net::Header header, Random& random) {
  const std::uint64_t which = random.next();
  if ((which & 1) != 0) header.flags = random.among<std::uint8_t>({0, 1, 2, 3, 4, 0xFF});
  if ((which & 2) != 0)
    header.gso_type = random.among<std::uint8_t>({0, 1, 3, 4, 5, 0x80, 0x81, 0xFF});
  if ((which & 4) != 0) header.hdr_len = edge(random);
  if ((which & 8) != 0) header.gso_size = edge(random);
  if ((which & 16) != 0) header.csum_start = edge(random);
  if ((which & 32) != 0) header.csum_offset = edge(random);
  header.num_buffers = edge(random);
  return header;
}

void run(Client& client) {
  test::NetClient& port = client.port();
  const net::MacAddress alice = find_host(client, Host::Alice);
  const test::Partial tcp = tcp_segments(client, alice, Host::Alice, 6000, 1000);
  const net::Transmit honest = place_frame(port, tcp.frame);
  net::Transmit request = honest;
  for (Random random;;) {
    request.header = lie(tcp.header, random);
    request.length = random.among({14U, 15U, 34U, 54U, 66U, 67U, 1514U, honest.length});
    const bool consistent = net::consistent(request.header, request.length, net::Offload::kAll);
    if (port.send_slot(request) == net::Verdict::Taken && !consistent) {
      return client.stage().broke("a header that contradicts its frame is taken");
    }
    ::usleep(50);
  }
}

void run_on_vhost_user_net(NetMaster& master) {
  for (Random random;;) master.send(lie({}, random));
}

const Entry entry{
    {.name = "header-lies",
     .family = "rings",
     .source = "XSA-423, XSA-432: headers that are not where they should be",
     .does = "sends segments whose headers contradict the frame in every field",
     .holds = "a header that contradicts its frame is malformed, and no receiver sees it",
     .run = &run,
     .on_vhost_user_net = &run_on_vhost_user_net}};

}  // namespace
}  // namespace cede::attack
