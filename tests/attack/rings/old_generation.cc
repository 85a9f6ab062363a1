// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "tests/attack/attack.h"
#include "tests/attack/client.h"

namespace cede::attack {
namespace {

void run(Client& client) {
  const Handle old = client.disk().session;
  const Handle grant = client.disk().grant;
  client.close(client.disk());
  const std::unique_ptr<Disk> disk = client.connect_disk(grant);
  while (true) {
    for (const MessageType type : {MessageType::Mapped, MessageType::Release, MessageType::Close}) {
      if (client.broker().status_of(type, old) == Status::Ok) {
        return client.stage().broke("the broker takes the handle of a closed session");
      }
    }
    client.disk().kick.ring();
    disk->submit(disk->request(VIRTIO_BLK_T_IN, 0));
    if (const auto response = disk->answer(); !response || response->status != VIRTIO_BLK_S_OK) {
      return client.stage().broke("the new session is not served");
    }
  }
}

const Entry entry{{.name = "old-generation",
                   .family = "rings",
                   .source = "XSA-350, CVE-2020-29569: what a former life had, used in the next",
                   .does = "goes on with the handle and the doorbell of a session that is closed, "
                           "in the midst of the next",
                   .holds = "an old handle names nothing, and the new session is served",
                   .run = &run}};

}  // namespace
}  // namespace cede::attack
