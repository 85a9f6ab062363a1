// SPDX-License-Identifier: Apache-2.0
#include <poll.h>

#include <algorithm>
#include <array>
#include <vector>

#include "tests/attack/attack.h"
#include "tests/attack/client.h"
#include "tests/attack/random.h"

namespace cede::attack {
namespace {

// So many that the broker always finds some, and so few that their answers fit into its queue.
constexpr int kInFlight = 64;

// Small, so that they are made quickly: an Offer is what a driver has most work with.
constexpr Geometry kGeometry{
    .pages = 16, .rings = 3, .slot_bytes = net::kSlotBytes, .slots = net::kMinSlots};

// Begins and ends sessions without waiting for what becomes of them.
class Flood {
 public:
  explicit Flood(ControlLink& link) : link_(link) {}

  // Fills the broker's socket with requests to connect.
  void pour(const std::array<Handle, 2>& grants) {
    Message connect;
    connect.type = MessageType::Connect;
    connect.geometry = kGeometry;
    while (in_flight_ < kInFlight) {
      connect.subject = grants[static_cast<std::size_t>(in_flight_) % grants.size()];
      if (!say(connect)) return;
    }
  }
  // Takes in all that came. False: the broker is gone.
  [[nodiscard]] bool hear() {
    pollfd readable{link_.fd(), POLLIN, 0};
    (void)::poll(&readable, 1, 1000);
    auto incoming = link_.receive();
    for (; incoming; incoming = link_.receive()) react(incoming->message);
    return incoming.status() == Status::Busy;
  }
  // Sessions that are not Closed.
  [[nodiscard]] std::size_t alive() const { return alive_.size(); }

 private:
  bool say(const Message& message) {
    const bool sent = static_cast<bool>(link_.send(message));
    if (sent) ++in_flight_;
    return sent;
  }
  void say(MessageType type, Handle subject) {
    Message message;
    message.type = type;
    message.subject = subject;
    (void)say(message);
  }
  // Ends it at once, or as soon as the driver has it, or when it is connected.
  void react(const Message& message) {
    const Handle subject = message.subject;
    switch (message.type) {
      case MessageType::Reply:
        --in_flight_;
        if (message.status != Status::Ok || !subject.valid()) return;
        alive_.push_back(subject);
        if (random_.below(4) == 0) say(MessageType::Close, subject);
        return;
      case MessageType::Offer:
        return say(random_.below(2) == 0 ? MessageType::Close : MessageType::Mapped, subject);
      case MessageType::Connected:
        return say(MessageType::Close, subject);
      case MessageType::Closing:
        return say(MessageType::Release, subject);
      case MessageType::Closed:
        std::erase(alive_, subject);
        return;
      default:
        return;
    }
  }

  ControlLink& link_;
  Random random_;
  std::vector<Handle> alive_;
  int in_flight_ = 0;
};

void run(Client& client) {
  const std::array grants{client.disk().grant, client.port_grant()};
  client.close(client.disk());
  client.close_port();
  Flood flood(client.broker().link());
  do {
    if (flood.alive() > grants.size()) {
      return client.stage().broke("a device has a session more while its last one is there");
    }
    flood.pour(grants);
  } while (flood.hear());
  client.stage().cut_off();
}

const Entry entry{{.name = "driver-event-flood",
                   .family = "exhaustion",
                   .source = "XSA-349, CVE-2020-29568: events queued without bound for a backend",
                   .does = "connects and closes as fast as the broker's socket takes it",
                   .holds = "a driver has a few events of each device to read at most, and is not "
                            "dropped for them",
                   .run = &run}};

}  // namespace
}  // namespace cede::attack
