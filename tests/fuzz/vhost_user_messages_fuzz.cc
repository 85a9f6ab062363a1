// SPDX-License-Identifier: Apache-2.0
// A front-end that says anything, to the endpoint of a volume and then to that of a port, each with
// a session whose driver never answers.
//
// Input: records of a request byte, a byte of header flags and descriptors, a length byte and the
// payload. Descriptors are eventfds or the file of guest memory. Request bytes of 200 and more send
// the payload raw.
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "frontend/vhost_user/blk_device.h"
#include "frontend/vhost_user/endpoint.h"
#include "frontend/vhost_user/virtio_net.h"
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

  template <class Info>
  static frontend::Session session(const Geometry& geometry, const Info& info) {
    auto parts = test::make_session_parts(geometry);
    frontend::Session session = test::open_client(parts, info);
    for (std::uint32_t ring = 0; ring < geometry.rings; ++ring) {
      format_ring(session.region.data() + geometry.ring_offset(ring));
    }
    return session;
  }

  frontend::EventLoop loop;
  test::MemoryFile memory{kGuestBytes};
  Fd event = test::checked(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
};

class Conversation {
 public:
  template <class Info>
  Conversation(World& world, VirtioDevice& device, const Info& info)
      : world_(world), device_(device) {
    const Status status = device_.connect(World::session(device.geometry(), info));
    fuzz::require(status == Status::Ok, "a session can be attached");
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
    endpoint_->tick(Endpoint::TimePoint::max());
  }

  World& world_;
  VirtioDevice& device_;
  Fd front_end_;
  std::optional<Endpoint> endpoint_;
};

void converse(Conversation&& conversation, fuzz::Input input) {
  while (!input.empty()) {
    const auto request = input.take<std::uint8_t>();
    const auto how = input.take<std::uint8_t>();
    if (!conversation.say(request, how, input.take_bytes(input.take<std::uint8_t>()))) break;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static World world;
  BlkDevice volume(kGeometry, false);
  converse({world, volume, test::disk_info(1U << 20)}, {data, size});
  VirtioNet port(1, net::kMinSlots);
  net::Info info;
  info.mac = {{2, 0, 0, 0, 0, 1}};
  info.mtu = 1500;
  info.offloads = net::Offload::kAll;
  converse({world, port, info}, {data, size});
  return 0;
}
