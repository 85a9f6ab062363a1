// SPDX-License-Identifier: Apache-2.0
// cede-hostile-driver ATTACK OPTIONS: a block driver with one client that serves its disk honestly
// for a while, and then turns. Takes cede-driver's options; whatever it does, it never lets go.
//
//   holds   answers nothing any more
//   keeps   the same, and says that it has let go
//   ids     answers a request that nobody made
//   rings   answers nothing any more, and rings without end
//   lies    says that all is done, and does nothing
#include <poll.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "protocols/block.h"
#include "protocols/posix/control_link.h"
#include "protocols/posix/doorbell.h"
#include "protocols/posix/mapping.h"
#include "protocols/ring.h"

namespace cede {
namespace {

constexpr int kHonestRequests = 500;
constexpr int kPollMs = 1;

struct Options {
  std::string attack;
  int capability = -1;
  int disk = -1;
  uid_t uid = 0;
  off_t offset = 0;
  std::uint64_t length = 0;

  Options(int argc, char** argv) : attack(argv[1]) {
    for (int i = 2; i + 1 < argc; ++i) {
      const std::string_view key = argv[i];
      const char* value = argv[i + 1];
      if (key == "--capability") capability = std::atoi(value);
      if (key == "--disk-fd") disk = std::atoi(value);
      if (key == "--uid") uid = static_cast<uid_t>(std::atoi(value));
      if (key == "--export") take_export(value);
    }
  }

 private:
  void take_export(std::string_view text) {
    const auto number = [&](std::string_view key) {
      return std::strtoull(text.data() + text.find(key) + key.size(), nullptr, 10);
    };
    offset = static_cast<off_t>(number("offset="));
    length = number("length=");
  }
};

class HostileDriver {
 public:
  explicit HostileDriver(const Options& options)
      : options_(options), link_(Fd(options.capability)) {}

  [[noreturn]] void run() {
    while (true) {
      listen();
      if (ring_ && connected_) serve();
    }
  }

 private:
  void listen() {
    pollfd news{link_.fd(), POLLIN, 0};
    (void)::poll(&news, 1, connected_ ? 0 : kPollMs);
    auto incoming = link_.receive();
    if (!incoming) return;
    if (incoming->message.type == MessageType::Offer) accept(*incoming);
    if (incoming->message.type == MessageType::Connected) connected_ = true;
    if (incoming->message.type == MessageType::Closing && options_.attack == "keeps") {
      Message lie;
      lie.type = MessageType::Release;
      lie.subject = incoming->message.subject;
      (void)link_.send(lie);
    }
  }

  void accept(ControlLink::Incoming& offer) {
    const Geometry& geometry = offer.message.geometry;
    auto memory = Mapping::map(offer.fds[0].get(), geometry.bytes());
    if (!memory) throw std::runtime_error("the region cannot be mapped");
    memory_ = *std::move(memory);
    region_ = std::move(offer.fds[0]);
    kick_.emplace(std::move(offer.fds[1]));
    call_.emplace(std::move(offer.fds[2]));
    format_ring(memory_.data());
    ring_.emplace(memory_.data(), geometry.ring_shape());
    Message mapped;
    mapped.type = MessageType::Mapped;
    mapped.subject = offer.message.subject;
    block::Info info;
    info.sectors = options_.length / block::kSectorBytes;
    info.logical_block = 512;
    info.physical_block = 4096;
    info.max_transfer = 1U << 20;
    info.max_erase = 1U << 24;
    info.features = block::Info::kFlush;
    std::memcpy(mapped.info.bytes, &info, sizeof info);
    (void)link_.send(mapped);
  }

  void serve() {
    block::Request request;
    while (ring_->take(request) == Verdict::Ready) {
      if (served_++ < kHonestRequests) {
        answer(request.id, execute(request));
      } else {
        turn_on(request);
      }
    }
    if (served_ > kHonestRequests && options_.attack == "rings") call_->ring();
  }

  void turn_on(const block::Request& request) {
    if (options_.attack == "ids") answer(request.id ^ 1U << 20, VIRTIO_BLK_S_OK);
    if (options_.attack == "lies") answer(request.id, VIRTIO_BLK_S_OK);
  }

  void answer(std::uint32_t id, std::uint32_t status) {
    ring_->put({id, status});
    (void)ring_->publish();
    call_->ring();
  }

  [[nodiscard]] std::uint32_t execute(const block::Request& request) const {
    std::byte* const payload = memory_.data() + request.offset;
    const auto where = options_.offset + static_cast<off_t>(request.sector * block::kSectorBytes);
    ssize_t moved = request.length;
    if (request.type == VIRTIO_BLK_T_IN) {
      moved = ::pread(options_.disk, payload, request.length, where);
    } else if (request.type == VIRTIO_BLK_T_OUT) {
      moved = ::pwrite(options_.disk, payload, request.length, where);
    }
    return moved == static_cast<ssize_t>(request.length) ? VIRTIO_BLK_S_OK : VIRTIO_BLK_S_IOERR;
  }

  const Options& options_;
  ControlLink link_;
  Fd region_;
  Mapping memory_;
  std::optional<KickWaiter> kick_;
  std::optional<CallRinger> call_;
  std::optional<BackRing<block::Request, block::Response>> ring_;
  int served_ = 0;
  bool connected_ = false;
};

}  // namespace
}  // namespace cede

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const cede::Options options(argc, argv);
  if (options.uid != 0 && ::setresuid(options.uid, options.uid, options.uid) != 0) return 1;
  try {
    cede::HostileDriver(options).run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "cede-hostile-driver: %s\n", error.what());
    return 1;
  }
}
