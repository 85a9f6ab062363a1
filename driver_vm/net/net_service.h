// SPDX-License-Identifier: Apache-2.0
// The switch: frames from each port, in the scheduler's order, to the ports they are for.
//
// Each turn takes frames until the rings and the uplink are empty or the turn has cost enough. A
// frame is delivered the moment it is taken, or dropped and counted: nothing is queued here, so a
// receiver without buffers costs itself and nobody else.
//
// Ports are numbered as they were given; the uplink, where there is one, comes last.
#pragma once

#include <cstdint>
#include <vector>

#include "driver_vm/net/address_table.h"
#include "driver_vm/net/frame.h"
#include "driver_vm/net/net_session.h"
#include "driver_vm/net/port_spec.h"
#include "driver_vm/net/uplink.h"
#include "driver_vm/scheduler.h"
#include "driver_vm/session_host/device_service.h"
#include "driver_vm/token_bucket.h"
#include "protocols/stats.h"

namespace cede::driver {

class NetService final : public DeviceService {
 public:
  // Addresses that a port with `spoofing`, and the uplink, may have behind them.
  static constexpr std::uint32_t kAddressesOfPort = 256;
  static constexpr std::uint32_t kAddressesOfUplink = 4096;

  // `uplink` may be null; it and `stats` outlive the service. `mtu` is the uplink's, `secret` the
  // address table's. Throws SetupError.
  NetService(std::vector<PortSpec> ports, Uplink* uplink, std::uint16_t mtu, StatsPage& stats,
             std::uint64_t secret);
  ~NetService() override;

  // DeviceService. Refuses NotSupported: no such port; Busy: it carries a session already; Invalid:
  // not the rings of protocols/net.h.
  [[nodiscard]] Result<std::unique_ptr<DeviceSession>> accept(HostedSession& session,
                                                              DeviceInfo& info) override;
  bool turn(Instant now) override;
  bool publish() override;
  [[nodiscard]] bool arm() override;
  [[nodiscard]] Instant deadline() const override;
  void settle() override;

  // For ~NetSession().
  void forget(const NetSession& session) noexcept;

 private:
  using PortNumber = AddressTable::PortNumber;

  struct Port {
    Port(const PortSpec& port, NetStats& counters)
        : spec(port), stats(&counters), frames(port.pps), bytes(port.bps), floods(port.storm) {}

    PortSpec spec;
    NetStats* stats;  // for frames from it, and to it
    NetSession* session = nullptr;
    TokenBucket frames;
    TokenBucket bytes;
    TokenBucket floods;
  };

  void follow_link() noexcept;
  void weigh_uplink() noexcept;
  [[nodiscard]] net::LinkState link_of(const Port& port) const noexcept;
  // One batch from the client; nothing: it has none.
  [[nodiscard]] bool serve(PortNumber number);
  [[nodiscard]] bool serve_session(PortNumber number);
  [[nodiscard]] bool serve_uplink();
  // The frame that was loaded, from a client's port.
  [[nodiscard]] net::Verdict judge(PortNumber number);
  net::Verdict forward(PortNumber from);
  net::Verdict flood(PortNumber from);
  [[nodiscard]] bool reaches(PortNumber from, PortNumber to) const noexcept;
  void send(PortNumber from, PortNumber to);
  void send_to_client(Port& to);
  void send_to_uplink(Port& from);

  std::vector<Port> ports_;
  Uplink* uplink_;
  PortNumber uplink_number_;  // one past the clients' ports
  NetStats& uplink_stats_;
  bool uplink_up_;
  AddressTable table_;
  Scheduler scheduler_;
  Frame frame_;               // the one that is on its way
  Scheduler::Cost cost_ = 0;  // of the present batch
  Instant now_ = 0;
};

}  // namespace cede::driver
