// SPDX-License-Identifier: Apache-2.0
#include <sys/socket.h>

#include <array>
#include <string>

#include "tests/attack/attack.h"
#include "tests/attack/exhaustion/household.h"
#include "tests/support/eventually.h"

namespace cede::attack {
namespace {

constexpr std::array<std::size_t, 7> kSizes{
    0, 1, sizeof(Message) - 1, sizeof(Message) + 1, 2 * sizeof(Message), 4096, 65536};

void send_bytes(int socket, std::size_t size) {
  static const std::array<std::byte, 65536> bytes{};
  (void)::send(socket, bytes.data(), size, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void run(Client& client) {
  for (int round = 0; round < 3; ++round) {
    for (const std::size_t size : kSizes) {
      auto child = try_child(client.broker(), 0);
      if (!child) return client.stage().broke("the dead keep their rows");
      send_bytes(child->fd(), size);
      // What is not the end of its sender is answered.
      (void)eventually([&] { return child->has(MessageType::Reply) || child->gone(); });
      if (!child->gone()) {
        return client.stage().broke("a packet of " + std::to_string(size) + " bytes is accepted");
      }
    }
  }
  send_bytes(client.broker().fd(), sizeof(Message) / 2);
  (void)client.await_cut_off();
}

const Entry entry{{.name = "half-messages",
                   .family = "exhaustion",
                   .source = "parsers of any kind",
                   .does = "sends packets that are empty, cut short and too long",
                   .holds = "each ends its sender, and nobody else",
                   .fate = Fate::CutOff,
                   .run = &run}};

}  // namespace
}  // namespace cede::attack
