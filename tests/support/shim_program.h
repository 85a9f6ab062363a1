// SPDX-License-Identifier: Apache-2.0
// The real cede-shim, with the test as its broker, as QEMU, and as the driver in QEMU's guest.
#pragma once

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/json.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "protocols/control.h"
#include "protocols/driver_vm.h"
#include "protocols/posix/channel.h"
#include "protocols/posix/doorbell.h"
#include "tests/support/eventually.h"
#include "tests/support/fake_monitor.h"
#include "tests/support/ivshmem_peer.h"
#include "vmm/process/process.h"

namespace cede::test {

inline constexpr int kPatience = 20'000;  // milliseconds until a test gives up; never the norm

struct SocketPair {
  explicit SocketPair(int type) {
    std::array<int, 2> pair{};
    EXPECT_EQ(::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair.data()), 0);
    ours = Fd(pair[0]);
    its = Fd(pair[1]);
  }
  Fd ours;
  Fd its;
};

// What a client keeps of a session: its ends of the bells, and the region.
struct ClientEnds {
  Fd region;
  DoorbellEnds kick = *make_doorbell();
  DoorbellEnds call = *make_doorbell();

  void ring() const { DoorbellRinger(Fd(::dup(kick.ringer.get()))).ring(); }
};

class ShimProgram {
 public:
  // `more` is added to the command line; it inherits `fds` by their numbers.
  explicit ShimProgram(unsigned ports = 2, const std::vector<std::string>& more = {},
                       const std::vector<int>& fds = {}) {
    const Fd monitor = qemu.take_client();
    const int little = 1;  // a QEMU that does not read its commands is noticed soon
    (void)::setsockopt(monitor.get(), SOL_SOCKET, SO_SNDBUF, &little, sizeof little);
    std::array<int, 2> ready{};
    EXPECT_EQ(::pipe2(ready.data(), O_CLOEXEC), 0);
    ready_ = Fd(ready[0]);
    const Fd tells_ready(ready[1]);
    log_ = Fd(::memfd_create("log", MFD_CLOEXEC));
    std::vector<std::string> arguments = {CEDE_SHIM_PROGRAM, "--ports", std::to_string(ports)};
    std::vector<int> inherited = fds;
    for (const auto& [option, fd] :
         {std::pair("--capability", broker_.its.get()), std::pair("--bells", bells_.server.get()),
          std::pair("--monitor", monitor.get()), std::pair("--sessions", guest_.its.get()),
          std::pair("--ready-fd", tells_ready.get())}) {
      arguments.insert(arguments.end(), {option, std::to_string(fd)});
      inherited.push_back(fd);
    }
    arguments.insert(arguments.end(), more.begin(), more.end());
    process_ = Process::start(
        {.arguments = std::move(arguments), .inherited = inherited, .output = log_.get()});
    broker_.its.reset();
    bells_.server.reset();
    guest_.its.reset();
  }

  // QEMU's monitor greets, the bells are set up, and the guest says Hello.
  void boot() {
    qemu.greet();
    expect_command("qmp_capabilities");
    qemu.succeed();
    read_bells();
    say(VmPacket{.kind = VmPacket::Kind::Hello});
    expect_ready();
  }
  // It has heard the guest's Hello, and said so.
  void expect_ready() const {
    char byte = 0;
    if (!readable(ready_.get(), kPatience) || ::read(ready_.get(), &byte, 1) != 1) {
      throw std::runtime_error("never ready; " + log());
    }
  }
  // What QEMU's bell device gets; all of it, for it was queued at once.
  void read_bells() {
    const auto all_there = [&] {
      int bytes = 0;
      return ::ioctl(bells_.client.get(), FIONREAD, &bytes) == 0 && bytes >= 3 * 8;
    };
    if (!eventually(all_there)) throw std::runtime_error("no bells; " + log());
    device_.emplace(bells_.client.get());
  }
  [[nodiscard]] const IvshmemPeer& device() const { return *device_; }

  // ---- QEMU

  boost::json::value expect_command(const std::string& name) {
    boost::json::value command = qemu.hear();
    while (command.is_null()) {
      if (!readable(qemu.fd(), kPatience)) throw std::runtime_error("no " + name + log());
      command = qemu.hear();
    }
    if (command.at("execute").as_string() != name) {
      throw std::runtime_error(boost::json::serialize(command) + " instead of " + name);
    }
    return command;
  }
  void begin_plug() {
    expect_command("add-fd");
    qemu.succeed(R"({"fd": 12, "fdset-id": 1})");
    expect_command("object-add");
    qemu.succeed();
    expect_command("remove-fd");
    qemu.succeed();
  }
  // The id of the device.
  std::string plug() {
    begin_plug();
    const boost::json::value command = expect_command("device_add");
    qemu.succeed();
    return std::string(command.at("arguments").at("id").as_string());
  }
  void unplug() {
    const boost::json::value command = expect_command("device_del");
    qemu.succeed();
    qemu.deleted(std::string(command.at("arguments").at("id").as_string()));
    expect_command("object-del");
    qemu.succeed();
  }
  // For a real QEMU, or to be closed.
  [[nodiscard]] Fd take_bells() { return std::move(bells_.client); }

  // ---- The guest

  void say(std::span<const std::byte> bytes) const {
    if (::send(guest_.ours.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(bytes.size())) {
      throw std::runtime_error("the shim does not listen; " + log());
    }
  }
  void say(const VmPacket& packet) const { say(std::as_bytes(std::span(&packet, 1))); }
  void say(MessageType type, Handle session, Status status = Status::Ok) const {
    VmPacket packet{.kind = VmPacket::Kind::Control};
    packet.message.type = type;
    packet.message.subject = session;
    packet.message.status = status;
    say(packet);
  }
  VmPacket hear(MessageType type) const {
    VmPacket packet;
    if (!readable(guest_.ours.get(), kPatience) ||
        ::recv(guest_.ours.get(), &packet, sizeof packet, MSG_WAITALL) != sizeof packet ||
        packet.magic != VmPacket::kMagic || packet.message.type != type) {
      throw std::runtime_error("the guest hears something else; " + log());
    }
    return packet;
  }
  [[nodiscard]] Fd take_port() { return std::move(guest_.ours); }

  // ---- The broker

  Status tell(const Message& message, std::span<const int> fds = {}) const {
    return send_packet(broker_.ours.get(), std::as_bytes(std::span(&message, 1)), fds);
  }
  Status tell(MessageType type, Handle session) const {
    Message message;
    message.type = type;
    message.subject = session;
    return tell(message);
  }
  ClientEnds offer(Handle session) const {
    ClientEnds client{.region = make_region(kRegionBytes)};
    Message message;
    message.type = MessageType::Offer;
    message.subject = session;
    message.device = 3;
    message.name = Name("alice/disk");
    const std::array fds = {client.region.get(), client.kick.waiter.get(),
                            client.call.ringer.get()};
    if (tell(message, fds) != Status::Ok) throw std::runtime_error("no offer; " + log());
    client.kick.waiter.reset();
    client.call.ringer.reset();
    return client;
  }
  Message expect(MessageType type, Handle session) const {
    Message message;
    if (!readable(broker_.ours.get(), kPatience)) {
      throw std::runtime_error("the broker hears nothing; " + log());
    }
    const Result<Packet> packet = receive_packet(
        broker_.ours.get(), std::as_writable_bytes(std::span(&message, 1)), kMaxPacketFds);
    if (!packet || packet->bytes != sizeof message || message.type != type ||
        !(message.subject == session)) {
      throw std::runtime_error("the broker hears something else; " + log());
    }
    return message;
  }
  [[nodiscard]] bool broker_hears_nothing() const { return !readable(broker_.ours.get()); }
  void close_broker() { broker_.ours.reset(); }

  // A session of the guest's, up to Connected.
  ClientEnds connect(Handle session) {
    ClientEnds client = offer(session);
    plug();
    hear(MessageType::Offer);
    say(MessageType::Mapped, session);
    expect(MessageType::Mapped, session);
    (void)tell(MessageType::Connected, session);
    hear(MessageType::Connected);
    return client;
  }

  // ---- The process

  [[nodiscard]] Process& process() { return process_; }
  [[nodiscard]] std::optional<int> ended() {
    return process_.wait(std::chrono::milliseconds(kPatience));
  }
  [[nodiscard]] std::string log() const {
    std::string text(static_cast<std::size_t>(::lseek(log_.get(), 0, SEEK_END)), '\0');
    const ssize_t got = ::pread(log_.get(), text.data(), text.size(), 0);
    text.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
    return text;
  }
  // What its descriptors are.
  [[nodiscard]] std::string files() const {
    std::string all;
    const std::filesystem::path folder = "/proc/" + std::to_string(process_.pid()) + "/fd";
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      std::error_code gone;
      all += std::filesystem::read_symlink(entry.path(), gone).string() + '\n';
    }
    return all;
  }
  // A line of /proc/PID/status without its key.
  [[nodiscard]] std::string status(const std::string& key) const {
    std::ifstream file("/proc/" + std::to_string(process_.pid()) + "/status");
    for (std::string line; std::getline(file, line);) {
      if (!line.starts_with(key + ":")) continue;
      const std::size_t value = line.find_first_not_of(" \t", key.size() + 1);
      return value == std::string::npos ? "" : line.substr(value);
    }
    return {};
  }

  static constexpr std::uint64_t kRegionBytes = 1UL << 20;
  FakeMonitor qemu;

 private:
  SocketPair broker_{SOCK_SEQPACKET};
  BellSocket bells_;
  SocketPair guest_{SOCK_STREAM};
  Fd ready_;
  Fd log_;
  std::optional<IvshmemPeer> device_;
  Process process_;
};

}  // namespace cede::test
