// SPDX-License-Identifier: Apache-2.0
// One qemu-storage-daemon, which exports one disk to the victim and another to the attacker. There
// is no network.
#include <fmt/format.h>

#include <cstdint>
#include <string_view>
#include <vector>

#include "tests/attack/peer.h"
#include "tests/bench/blk/ram_image.h"
#include "tests/bench/blk/server_socket.h"

namespace cede::attack {
namespace {

constexpr std::uint64_t kDiskBytes = 32U << 20;

void add_export(std::vector<std::string>& words, std::string_view name,
                const bench::RamImage& image, const bench::ServerSocket& socket) {
  words.insert(words.end(),
               {"--blockdev",
                fmt::format("driver=file,node-name={},filename={},cache.direct=off,aio=io_uring",
                            name, image.path()),
                "--export",
                fmt::format("type=vhost-user-blk,id={0}-export,node-name={0},addr.type=fd,"
                            "addr.str={1},writable=on,num-queues=1",
                            name, socket.fd())});
}

class QemuStorageDaemon final : public Peer {
 public:
  QemuStorageDaemon()
      : victims_image_(kDiskBytes),
        attackers_image_(kDiskBytes),
        daemon_(start()),
        victims_(victims_socket_.path(), victims_image_, kDiskBytes, nullptr) {}

  [[nodiscard]] pid_t server() const override { return daemon_.pid(); }
  [[nodiscard]] bool is_dead() const override { return bench::has_ended(daemon_); }
  [[nodiscard]] Victims& victims() override { return victims_; }
  [[nodiscard]] const std::string& attackers_socket() const override {
    return attackers_socket_.path();
  }

 private:
  [[nodiscard]] Process start() const {
    std::vector<std::string> words{"qemu-storage-daemon"};
    add_export(words, "victim", victims_image_, victims_socket_);
    add_export(words, "attacker", attackers_image_, attackers_socket_);
    return bench::start_server(std::move(words), {victims_socket_.fd(), attackers_socket_.fd()});
  }

  bench::RamImage victims_image_;
  bench::RamImage attackers_image_;
  bench::ServerSocket victims_socket_;
  bench::ServerSocket attackers_socket_;
  Process daemon_;
  Victims victims_;
};

}  // namespace

std::unique_ptr<Peer> start_qemu_storage_daemon() {
  return std::make_unique<QemuStorageDaemon>();
}

}  // namespace cede::attack
