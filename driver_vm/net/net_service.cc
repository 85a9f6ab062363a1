// SPDX-License-Identifier: Apache-2.0
#include "driver_vm/net/net_service.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <utility>

#include "driver_vm/net/delivery.h"
#include "driver_vm/net/flow_hash.h"
#include "driver_vm/session_host/counters.h"
#include "driver_vm/setup_error.h"

namespace cede::driver {
namespace {

// Costs in bytes moved; a small frame costs its handling rather than its bytes.
constexpr Scheduler::Cost kPerFrame = 512;
constexpr Scheduler::Cost kPerWrite = 4096;  // a system call
// After this much a turn ends, so that frames are published and control messages are heard.
constexpr Scheduler::Cost kTurn = 128 << 10;
constexpr int kUplinkBatch = 64;

void drop(NetStats& stats, Drop reason) noexcept {
  add(stats.drops[static_cast<std::size_t>(reason)]);
}

[[nodiscard]] net::Verdict verdict_of(Drop reason) noexcept {
  switch (reason) {
    case Drop::Spoofed:
    case Drop::Guarded:
    case Drop::Vlan:
      return net::Verdict::Forbidden;
    case Drop::Limited:
    case Drop::Storm:
      return net::Verdict::Limited;
    default:
      return net::Verdict::Malformed;
  }
}

[[nodiscard]] std::vector<std::uint32_t> quotas_of(const std::vector<PortSpec>& ports) {
  std::vector<std::uint32_t> quotas;
  quotas.reserve(ports.size() + 1);
  for (const PortSpec& port : ports) {
    quotas.push_back(port.spoofing ? NetService::kAddressesOfPort : 0);
  }
  quotas.push_back(NetService::kAddressesOfUplink);
  return quotas;
}

[[nodiscard]] std::size_t addresses_given(const std::vector<PortSpec>& ports) {
  std::size_t given = 0;
  for (const PortSpec& port : ports) given += port.trunk ? port.vlans.count() : 1;
  return given;
}

}  // namespace

NetService::NetService(std::vector<PortSpec> ports, Uplink* uplink, std::uint16_t mtu,
                       StatsPage& stats, std::uint64_t secret)
    : uplink_(uplink),
      uplink_number_(static_cast<PortNumber>(ports.size())),
      uplink_stats_(stats[kUplinkRow].net),
      uplink_up_(uplink == nullptr || uplink->up()),
      table_(quotas_of(ports), addresses_given(ports), secret) {
  for (PortNumber number = 0; number < uplink_number_; ++number) {
    const PortSpec& spec = ports[number];
    ports_.emplace_back(spec, stats[spec.device].net);
    if (!spec.trunk) table_.give(mac_of(spec.mac), spec.vlan, number);
    for (std::uint16_t vlan = 1; spec.trunk && vlan < spec.vlans.size(); ++vlan) {
      if (spec.vlans[vlan]) table_.give(mac_of(spec.mac), vlan, number);
    }
  }
  // What comes from outside is bounded only where it is for everybody.
  PortSpec outside;
  outside.mtu = mtu;
  ports_.emplace_back(outside, uplink_stats_);
  if (uplink_ == nullptr) return;
  scheduler_.add(uplink_number_, 1);
  uplink_stats_.up.store(uplink_up_ ? 1 : 0, std::memory_order_relaxed);
}

NetService::~NetService() = default;

Result<std::unique_ptr<DeviceSession>> NetService::accept(HostedSession& session,
                                                          DeviceInfo& info) {
  if (!NetSession::fits(session.geometry())) return Status::Invalid;
  const auto clients = std::span(ports_).first(uplink_number_);
  const auto port = std::ranges::find_if(
      clients, [&](const Port& candidate) { return candidate.spec.device == session.device(); });
  if (port == clients.end()) return Status::NotSupported;
  if (port->session != nullptr) return Status::Busy;

  const net::Info words{.mac = port->spec.mac,
                        .mtu = port->spec.mtu,
                        .offloads = net::Offload::kAll,
                        .link_up = link_of(*port).up ? 1U : 0U,
                        .reserved = {}};
  static_assert(sizeof words <= DeviceInfo::kBytes);
  std::memcpy(info.bytes, &words, sizeof words);
  const auto number = static_cast<PortNumber>(port - clients.begin());
  auto made = std::make_unique<NetSession>(*this, number, session, link_of(*port));
  port->session = made.get();
  scheduler_.add(number, port->spec.weight);
  weigh_uplink();
  return std::unique_ptr<DeviceSession>(std::move(made));
}

void NetService::forget(const NetSession& session) noexcept {
  scheduler_.remove(session.port());
  ports_[session.port()].session = nullptr;
  table_.forget(session.port());
  weigh_uplink();
}

// As many are out there as in here, for all that we know: it gets as much as the clients together,
// and a flood from it leaves them the other half.
void NetService::weigh_uplink() noexcept {
  if (uplink_ == nullptr) return;
  std::uint32_t sum = 0;
  for (const Port& port : ports_) {
    if (port.session != nullptr) sum += port.spec.weight;
  }
  scheduler_.set_weight(uplink_number_, std::clamp(sum, 1U, Scheduler::kMaxWeight));
}

bool NetService::turn(Instant now) {
  now_ = now;
  bool worked = false;
  if (uplink_ != nullptr) {
    uplink_->probe(now);
    follow_link();
    if (uplink_->readable()) scheduler_.wake(uplink_number_);
  }
  for (PortNumber number = 0; number < uplink_number_; ++number) {
    NetSession* const session = ports_[number].session;
    if (session == nullptr) continue;
    worked = session->control() || worked;
    if (session->ready()) scheduler_.wake(number);
  }
  for (Scheduler::Cost cost = 0; cost < kTurn; cost += cost_) {
    const std::optional<Scheduler::Client> client = scheduler_.current();
    if (!client) break;
    cost_ = 0;
    if (!serve(static_cast<PortNumber>(*client))) {
      scheduler_.leave();
      continue;
    }
    worked = true;
    scheduler_.charge(cost_);
  }
  return worked;
}

void NetService::follow_link() noexcept {
  if (uplink_->up() == uplink_up_) return;
  uplink_up_ = uplink_->up();
  uplink_stats_.up.store(uplink_up_ ? 1 : 0, std::memory_order_relaxed);
  if (!uplink_up_) table_.forget(uplink_number_);
  for (const Port& port : ports_) {
    if (port.session != nullptr) port.session->set_link(link_of(port));
  }
}

// The others go on talking to each other while the uplink is away.
net::LinkState NetService::link_of(const Port& port) const noexcept {
  return {.up = uplink_up_ || !port.spec.isolated, .mtu = port.spec.mtu};
}

bool NetService::serve(PortNumber number) {
  return number == uplink_number_ ? serve_uplink() : serve_session(number);
}

bool NetService::serve_session(PortNumber number) {
  NetSession& session = *ports_[number].session;
  TransmitQueue* const queue = session.next_transmit();
  if (queue == nullptr) return false;
  const std::span<const net::Transmit> batch = queue->take();
  if (batch.empty()) session.reject("a transmit producer that cannot be right");
  cost_ += kPerFrame;
  session.touch();
  for (const net::Transmit& request : batch) {
    const std::optional<bool> loaded = queue->load(request, frame_);
    net::Verdict verdict = net::Verdict::Malformed;
    if (!loaded) {
      session.reject("a frame outside the payload");
    } else if (*loaded) {
      verdict = judge(number);
    } else {
      drop(*ports_[number].stats, Drop::Malformed);
      cost_ += kPerFrame;
    }
    queue->answer(verdict);
  }
  return true;
}

net::Verdict NetService::judge(PortNumber number) {
  Port& port = ports_[number];
  cost_ += kPerFrame + frame_.length();
  add(port.stats->sent_frames);
  add(port.stats->sent_bytes, frame_.length());
  std::optional<Drop> refused = refuse(port.spec, frame_);
  if (!refused && !(port.frames.open(now_) && port.bytes.open(now_))) refused = Drop::Limited;
  if (refused) {
    drop(*port.stats, *refused);
    return verdict_of(*refused);
  }
  port.frames.take(frame_.wire_frames());
  port.bytes.take(frame_.length());
  if (port.spec.spoofing) table_.learn(frame_.source(), frame_.vlan(), number, now_);
  return forward(number);
}

bool NetService::serve_uplink() {
  int count = 0;
  for (; count < kUplinkBatch; ++count) {
    net::Header header;
    const std::span<const std::byte> bytes = uplink_->read(header);
    if (bytes.empty()) break;
    cost_ += kPerWrite;
    if (!frame_.load(header, bytes.data(), static_cast<std::uint32_t>(bytes.size()))) {
      drop(uplink_stats_, Drop::Malformed);
      continue;
    }
    add(uplink_stats_.sent_frames);
    add(uplink_stats_.sent_bytes, frame_.length());
    cost_ += frame_.length();
    if (!is_multicast(frame_.source())) {
      table_.learn(frame_.source(), frame_.vlan(), uplink_number_, now_);
    }
    (void)forward(uplink_number_);
  }
  return count != 0;
}

net::Verdict NetService::forward(PortNumber from) {
  const Mac destination = frame_.destination();
  if (!is_multicast(destination)) {
    if (const auto to = table_.find(destination, frame_.vlan(), now_)) {
      if (*to == from) return net::Verdict::Taken;
      if (reaches(from, *to)) {
        send(from, *to);
      } else {
        drop(*ports_[from].stats, Drop::Isolated);
      }
      return net::Verdict::Taken;
    }
  }
  return flood(from);
}

net::Verdict NetService::flood(PortNumber from) {
  const bool to_everybody = is_multicast(frame_.destination());
  std::array<PortNumber, Scheduler::kMaxClients> receivers;
  std::size_t count = 0;
  for (PortNumber to = 0; to <= uplink_number_; ++to) {
    const Port& port = ports_[to];
    const bool outside = to == uplink_number_;
    // A port that may use no other address than its own is sent nothing for another.
    const bool wanted = outside ? uplink_ != nullptr
                                : port.session != nullptr && (to_everybody || port.spec.spoofing) &&
                                      port.spec.carries(frame_.vlan());
    if (wanted && to != from && reaches(from, to)) receivers[count++] = to;
  }
  if (to_everybody || count > 1) {
    Port& port = ports_[from];
    if (!port.floods.open(now_)) {
      drop(*port.stats, Drop::Storm);
      return net::Verdict::Limited;
    }
    port.floods.take(frame_.wire_frames());
  }
  for (std::size_t i = 0; i < count; ++i) send(from, receivers[i]);
  return net::Verdict::Taken;
}

bool NetService::reaches(PortNumber from, PortNumber to) const noexcept {
  return from == uplink_number_ || to == uplink_number_ ||
         !(ports_[from].spec.isolated || ports_[to].spec.isolated);
}

void NetService::send(PortNumber from, PortNumber to) {
  if (to == uplink_number_) {
    send_to_uplink(ports_[from]);
  } else {
    send_to_client(ports_[to]);
  }
}

void NetService::send_to_client(Port& to) {
  if (to.session == nullptr || !to.session->serving()) return drop(*to.stats, Drop::NoBuffer);
  if (frame_.network_length() > to.spec.mtu) return drop(*to.stats, Drop::TooLong);
  NetSession& session = *to.session;
  session.touch();
  ReceiveQueue& queue = session.receive_queue(session.single_pair() ? 0 : flow_hash(frame_));
  const ReceiverForm form{.offloads = session.offloads(), .tagged = to.spec.trunk};
  deliver(frame_, form, [&](const net::Header& header, const Pieces& pieces) {
    const std::size_t length = pieces[0].size() + pieces[1].size() + pieces[2].size();
    cost_ += kPerFrame + static_cast<Scheduler::Cost>(length);
    switch (queue.put(header, pieces)) {
      case ReceiveQueue::Put::Ok:
        add(to.stats->received_frames);
        add(to.stats->received_bytes, length);
        return true;
      case ReceiveQueue::Put::NoBuffer:
        drop(*to.stats, Drop::NoBuffer);
        return false;
      case ReceiveQueue::Put::Broken:
        session.reject("a receive buffer that is too small or outside the payload");
        return false;
    }
    return false;
  });
}

// What the uplink does not take is counted at the sender.
void NetService::send_to_uplink(Port& from) {
  if (frame_.network_length() > ports_[uplink_number_].spec.mtu) {
    return drop(*from.stats, Drop::TooLong);
  }
  const ReceiverForm form{.offloads = uplink_->offloads(), .tagged = frame_.vlan() != 0};
  deliver(frame_, form, [&](const net::Header& header, const Pieces& pieces) {
    cost_ += kPerWrite;
    switch (uplink_->write(header, pieces)) {
      case Uplink::Sent::Ok:
        add(uplink_stats_.received_frames);
        add(uplink_stats_.received_bytes, pieces[0].size() + pieces[1].size() + pieces[2].size());
        return true;
      case Uplink::Sent::Full:
        drop(*from.stats, Drop::NoBuffer);
        return false;
      case Uplink::Sent::Refused:
        drop(*from.stats, Drop::Malformed);
        return false;
      case Uplink::Sent::Down:
        drop(*from.stats, Drop::LinkDown);
        return false;
    }
    return false;
  });
}

bool NetService::publish() {
  for (const Port& port : ports_) {
    if (port.session != nullptr) port.session->publish_frames();
  }
  bool published = false;
  for (const Port& port : ports_) {
    if (port.session != nullptr) published = port.session->publish() || published;
  }
  return published;
}

bool NetService::arm() {
  bool quiet = uplink_ == nullptr || !uplink_->readable();
  for (const Port& port : ports_) {
    if (port.session != nullptr) quiet = port.session->arm() && quiet;
  }
  return quiet;
}

Instant NetService::deadline() const {
  return uplink_ == nullptr ? kNever : uplink_->retry_at();
}

void NetService::settle() {
  if (uplink_ == nullptr) return;
  spdlog::info("uplink: {} frames in, {} out, {} not understood, {} over the limit for broadcasts",
               uplink_stats_.sent_frames.load(), uplink_stats_.received_frames.load(),
               uplink_stats_.drops[static_cast<std::size_t>(Drop::Malformed)].load(),
               uplink_stats_.drops[static_cast<std::size_t>(Drop::Storm)].load());
}

}  // namespace cede::driver
