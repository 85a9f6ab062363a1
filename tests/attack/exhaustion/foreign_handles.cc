// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "tests/attack/attack.h"
#include "tests/attack/client.h"

namespace cede::attack {
namespace {

constexpr std::uint32_t kIndices = 64;
constexpr std::uint32_t kGenerations = 6;

// All that names something. CreateDomain does not.
constexpr std::array kRequests{
    MessageType::Close,         MessageType::Release,        MessageType::Mapped,
    MessageType::Refuse,        MessageType::RevokeGrant,    MessageType::DestroyDomain,
    MessageType::Fund,          MessageType::GrantDevice,    MessageType::Connect,
    MessageType::InspectDomain, MessageType::InspectSession, MessageType::SealSystem,
};

// False: it had an effect.
bool refuses(Client& client, MessageType type, Handle handle) {
  Message message;
  message.type = type;
  message.subject = handle;
  message.object = {handle.index + 1, 1};
  message.index = handle.index;
  message.pages = 1;
  message.geometry = Client::kDiskGeometry;
  if (client.broker().request(message).message.status != Status::Ok) return true;
  client.stage().broke("request " + std::to_string(static_cast<int>(type)) + " for handle " +
                       std::to_string(handle.index) + '-' + std::to_string(handle.generation) +
                       ", which is not its own, has an effect");
  return false;
}

void run(Client& client) {
  const auto own_session = [&client](MessageType type, Handle handle) {
    const bool session = handle == client.disk().session || handle == client.port_session();
    return session && (type == MessageType::Close || type == MessageType::Release);
  };
  while (true) {
    for (std::uint32_t generation = 0; generation < kGenerations; ++generation) {
      for (std::uint32_t index = 0; index < kIndices; ++index) {
        for (const MessageType type : kRequests) {
          const Handle handle{index, generation};
          if (!own_session(type, handle) && !refuses(client, type, handle)) return;
        }
      }
    }
  }
}

const Entry entry{{.name = "foreign-handles",
                   .family = "exhaustion",
                   .source = "XSA-353, CVE-2020-29479: requests without a check of permissions",
                   .does = "asks everything of every handle that is not its own",
                   .holds = "a handle works on the socket that it was issued to, and on no other",
                   .run = &run}};

}  // namespace
}  // namespace cede::attack
