// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include "tests/attack/attack.h"
#include "tests/attack/client.h"

namespace cede::attack {
namespace {

// It asks far more often than a queue of any sensible length has room for answers.
constexpr int kRequests = 1'000'000;

void run(Client& client) {
  Message question;
  question.type = MessageType::InspectDomain;
  ControlLink& link = client.broker().link();
  for (int asked = 0; asked < kRequests;) {
    const Result<std::uint32_t> tag = link.send(question);
    if (tag) ++asked;
    if (tag.status() == Status::Gone) return client.stage().cut_off();
    if (!tag) ::usleep(100);
  }
  client.stage().broke("a million answers wait for somebody who does not read");
}

const Entry entry{{.name = "unread-replies",
                   .family = "exhaustion",
                   .source = "XSA-326 and XSA-416: replies of xenstored that nobody reads",
                   .does = "asks the broker for ever, and reads no answer",
                   .holds = "it is dropped when its queue is full",
                   .fate = Fate::CutOff,
                   .run = &run}};

}  // namespace
}  // namespace cede::attack
