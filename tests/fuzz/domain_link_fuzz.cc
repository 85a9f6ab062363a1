// SPDX-License-Identifier: Apache-2.0
// Packets of any size and content, with and without descriptors, from a domain to the broker's end
// of its capability socket: whole messages come through in order, anything else ends the link, and
// no descriptor ever arrives.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <boost/asio/io_context.hpp>
#include <vector>

#include "protocols/posix/channel.h"
#include "tests/fuzz/fuzz_input.h"
#include "vmm/broker/domain_link.h"

using namespace cede;        // NOLINT: a fuzz target is one function
using namespace cede::fuzz;  // NOLINT

namespace {

constexpr std::size_t kMaxPackets = 40;

// The lowest free descriptor moves up when one leaks.
int next_descriptor() {
  return Fd(::fcntl(0, F_DUPFD_CLOEXEC, 0)).get();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Fd gift(::memfd_create("gift", MFD_CLOEXEC));
  Input input(data, size);
  const int before = next_descriptor();
  {
    int ends[2] = {-1, -1};
    require(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0, "a socket pair");
    Fd domain(ends[0]);
    boost::asio::io_context loop;
    const auto link = std::make_shared<broker::DomainLink>(loop, Fd(ends[1]));
    std::vector<Message> expected;
    std::size_t arrived = 0;
    int ended = 0;
    link->start(
        [&](const Message& message) {
          require(arrived < expected.size() &&
                      std::memcmp(&message, &expected[arrived], sizeof message) == 0,
                  "the messages that were sent, in their order, and no others");
          ++arrived;
        },
        [&](std::string_view) { ++ended; });

    bool broken = false;
    for (std::size_t i = 0; i < kMaxPackets && !input.empty(); ++i) {
      const auto flags = input.take<std::uint8_t>();
      const bool whole = (flags & 3) != 0;
      const auto bytes = input.take_bytes(whole ? sizeof(Message) : input.take<std::uint8_t>());
      Message message;
      std::memcpy(&message, bytes.data(), std::min(bytes.size(), sizeof message));
      const std::span<const std::byte> packet =
          whole ? std::as_bytes(std::span(&message, 1)) : std::as_bytes(bytes);
      const int raw = gift.get();
      const bool gives = (flags & 0xF0) == 0xF0;
      const Status sent =
          send_packet(domain.get(), packet, gives ? std::span(&raw, 1) : std::span<const int>());
      // The kernel may refuse the descriptor for the broker, and then the packet never was.
      if (sent != Status::Ok) continue;
      if (broken) continue;
      broken = gives || packet.size() != sizeof(Message);
      if (!broken) expected.push_back(message);
      if ((flags & 4) != 0) loop.poll();
    }
    loop.poll();
    require(arrived == expected.size(), "every whole message before the first offence");
    require(ended == (broken ? 1 : 0), "an offence ends the link, once");
    domain.reset();
    loop.poll();
    require(ended == 1, "and so does the domain's end");
  }
  require(next_descriptor() == before, "nothing stays open");
  return 0;
}
