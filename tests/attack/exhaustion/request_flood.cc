// SPDX-License-Identifier: Apache-2.0
#include <poll.h>

#include <array>

#include "tests/attack/attack.h"
#include "tests/attack/client.h"

namespace cede::attack {
namespace {

// So many that the broker always finds some, and so few that their answers fit into its queue.
constexpr int kInFlight = 64;

void run(Client& client) {
  ControlLink& link = client.broker().link();
  std::array<Message, 3> requests;
  requests[0].type = MessageType::Connect;  // the disk is taken
  requests[0].subject = client.disk().grant;
  requests[0].geometry = Client::kDiskGeometry;
  requests[1].type = MessageType::RevokeGrant;  // by no ancestor
  requests[1].subject = client.disk().grant;
  requests[2].type = MessageType::InspectSession;  // not by the root
  for (int in_flight = 0;;) {
    for (; in_flight < kInFlight; ++in_flight) {
      if (!link.send(requests[static_cast<std::size_t>(in_flight) % requests.size()])) break;
    }
    pollfd readable{link.fd(), POLLIN, 0};
    (void)::poll(&readable, 1, 1000);
    while (const auto reply = link.receive()) {
      --in_flight;
      if (reply->message.status != Status::Ok) continue;
      return client.stage().broke("a request that is nobody's right has an effect");
    }
  }
}

const Entry entry{{.name = "request-flood",
                   .family = "exhaustion",
                   .source = "XSA-206: xenstore denial of service by repeated update",
                   .does = "keeps the broker's socket full of requests, and reads every answer",
                   .holds = "the broker takes some from each, and is not on the data path",
                   .run = &run}};

}  // namespace
}  // namespace cede::attack
