// SPDX-License-Identifier: Apache-2.0
// A front-end that says anything, to an endpoint with a session whose driver never answers.
//
// Input: records of a request byte, a byte of header flags and descriptors, a length byte and the
// payload. Descriptors are eventfds or the file of guest memory. Request bytes of 200 and more send
// the payload raw.
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "frontend/vhost_user/blk_endpoint.h"
#include "protocols/posix/channel.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/support/client_session.h"
#include "tests/unit/vhost_user/memory_file.h"

namespace {

using namespace cede;
using namespace cede::vhost_user;

constexpr Geometry kGeometry{.pages = 16, .rings = 2, .slot_bytes = 32, .slots = 8};
constexpr std::size_t kGuestBytes = 1U << 20;

// What outlives one input: a session and guest memory, made once.
struct World {
  World() {
    // Every refusal is logged, to the default logger's standard output.
    fuzz::require(std::freopen("/dev/null", "w", stdout) != nullptr, "the log can be silenced");
  }

  frontend::BlockDevice session() {
    auto parts = test::make_session_parts(kGeometry);
    frontend::Session session = test::open_client(parts, test::disk_info(1U << 20));
    for (std::uint32_t ring = 0; ring < kGeometry.rings; ++ring) {
      format_ring(session.region.data() + kGeometry.ring_offset(ring));
    }
    auto device = frontend::BlockDevice::attach(std::move(session));
    fuzz::require(static_cast<bool>(device), "a session can be attached");
    return *std::move(device);
  }

  frontend::EventLoop loop;
  test::MemoryFile memory{kGuestBytes};
  Fd event = test::checked(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
};

class Conversation {
 public:
  explicit Conversation(World& world)
      : world_(world), device_("fuzz", test::disk_info(1U << 20), 2, false) {
    device_.connect(world.session());
    int pair[2];
    fuzz::require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0, "a socket pair");
    front_end_ = Fd(pair[0]);
    endpoint_.emplace(device_, world.loop, Fd(pair[1]));
  }

  // False: the endpoint has sent the front-end away.
  bool say(std::uint8_t request, std::uint8_t how, std::span<const std::uint8_t> payload) {
    const Header header{static_cast<Request>(request),
                        Header::kVersion | (how & (Header::kNeedReply | Header::kReply)),
                        static_cast<std::uint32_t>(payload.size())};
    std::byte packet[sizeof header + 255];
    std::size_t bytes = 0;
    if (request < 200) {
      std::memcpy(packet, &header, sizeof header);
      bytes = sizeof header;
    }
    std::memcpy(packet + bytes, payload.data(), payload.size());
    bytes += payload.size();
    if (bytes == 0) return true;
    int fds[kMaxPacketFds];
    const int fd = (how & 1) != 0 ? world_.memory.fd().get() : world_.event.get();
    std::fill(std::begin(fds), std::end(fds), fd);
    const std::size_t fd_count = std::min<std::size_t>(how >> 4, kMaxPacketFds);
    if (send_packet(front_end_.get(), std::span(packet).first(bytes),
                    std::span(fds).first(fd_count)) != Status::Ok) {
      return false;
    }
    turn();
    std::byte answer[1024];
    while (receive_packet(front_end_.get(), answer, 1)) {
    }
    return !endpoint_->closed();
  }

 private:
  void turn() {
    world_.loop.wait(std::chrono::nanoseconds::zero());
    (void)device_.progress();
    (void)device_.arm();
    // The driver is silent: every stop runs into its time limit.
    endpoint_->tick(BlkEndpoint::TimePoint::max());
  }

  World& world_;
  BlkDevice device_;
  Fd front_end_;
  std::optional<BlkEndpoint> endpoint_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static World world;
  Conversation conversation(world);
  fuzz::Input input(data, size);
  while (!input.empty()) {
    const auto request = input.take<std::uint8_t>();
    const auto how = input.take<std::uint8_t>();
    if (!conversation.say(request, how, input.take_bytes(input.take<std::uint8_t>()))) break;
  }
  return 0;
}
