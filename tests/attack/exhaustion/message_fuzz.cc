// SPDX-License-Identifier: Apache-2.0
#include <cstring>
#include <span>

#include "tests/attack/attack.h"
#include "tests/attack/client.h"
#include "tests/attack/random.h"

namespace cede::attack {
namespace {

Message random_message(Random& random) {
  Message message;
  for (std::byte& byte : std::as_writable_bytes(std::span(&message, 1))) {
    byte = static_cast<std::byte>(random.next());
  }
  // Half of them with a type and handles that there are, or may be.
  if (random.below(2) == 0) return message;
  message.type = static_cast<MessageType>(random.below(16));
  message.subject = {static_cast<std::uint32_t>(random.below(64)),
                     static_cast<std::uint32_t>(random.below(8))};
  message.object = {static_cast<std::uint32_t>(random.below(64)),
                    static_cast<std::uint32_t>(random.below(8))};
  return message;
}

void run(Client& client) {
  Random random;
  while (true) {
    const Message message = random_message(random);
    // These two sessions are its own to end; that would be the end of the show.
    const bool own =
        message.subject == client.disk().session || message.subject == client.port_session();
    if (own) continue;
    const Status status = client.broker().request(message).message.status;
    const bool allowed = message.type == MessageType::CreateDomain;
    if (status == Status::Ok && !allowed) {
      return client.stage().broke("a made-up message has an effect");
    }
  }
}

const Entry entry{{.name = "message-fuzz",
                   .family = "exhaustion",
                   .source = "parsers of any kind",
                   .does = "sends messages of the right size and random content",
                   .holds = "each is answered, and none that names another's has an effect",
                   .run = &run}};

}  // namespace
}  // namespace cede::attack
