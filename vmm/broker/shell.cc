// SPDX-License-Identifier: Apache-2.0
#include "vmm/broker/shell.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <cstdlib>
#include <deque>
#include <stdexcept>

#include "vmm/broker/core/step.h"
#include "vmm/broker/domain_link.h"
#include "vmm/broker/policy.h"
#include "vmm/broker/region_keeper.h"

namespace cede::broker {
namespace {

namespace asio = boost::asio;
using Does = Action::Kind;
using Limits = ProductionLimits;

constexpr std::uint32_t kTickMs = 20;

// The requests that are the core's business have its actions' names and order.
constexpr Does action_of(MessageType request) {
  return static_cast<Does>(static_cast<int>(request) - 1);
}
static_assert(action_of(MessageType::SealSystem) == Does::SealSystem);

// So have the events and the effects that send them.
constexpr MessageType event_of(Effect::Kind effect) {
  const int after_first = static_cast<int>(effect) - static_cast<int>(Effect::Kind::TellGranted);
  return static_cast<MessageType>(static_cast<int>(MessageType::Granted) + after_first);
}
static_assert(event_of(Effect::Kind::Kill) == MessageType::Kill);

// A peer's name goes to logs and to other peers: nothing in it may act on a terminal.
Name printable(Name name) {
  const auto acts = [](char c) { return c != '\0' && (c < ' ' || c > '~'); };
  std::ranges::replace_if(name.text, acts, '?');
  name.text[Name::kBytes - 1] = '\0';
  return name;
}

std::string label(const char* kind, Handle handle, const Name& name) {
  return fmt::format("{} {}-{} ({})", kind, handle.index, handle.generation, name.view());
}

std::optional<MemoryCgroup> open_cgroup(const std::string& dir) {
  if (dir.empty()) {
    spdlog::warn("NO MEMORY CGROUP (--cgroup): clients do not pay, and pinned pages are not seen");
    return std::nullopt;
  }
  Result<MemoryCgroup> cgroup = MemoryCgroup::open(dir);
  if (cgroup) return *std::move(cgroup);
  throw std::runtime_error(
      "--cgroup " + dir + ": pass a directory of the memory controller (cgroup v1, or v2 with " +
      "+memory in its parent's cgroup.subtree_control) that the broker may write to");
}

class Shell : private RegionKeeper::Owner {
 public:
  Shell(const Options& options, Fd root)
      : cgroup_(open_cgroup(options.cgroup)),
        state_(initial_state<Limits>(options.budget_pages, options.connect_deadline_ms,
                                     options.drain_deadline_ms)) {
    add_domain(root_handle(state_), Name("root"), std::move(root));
  }

  bool serve() {
    asio::signal_set signals(loop_, SIGTERM, SIGINT);
    signals.async_wait([this](const ErrorCode&, int) { shut_down("a signal said so"); });
    loop_.run();
    const std::uint32_t home = state_.domains[kRoot].account;
    spdlog::info("the end: {} of {} pages are home", home, state_.budget);
    return home == state_.budget;
  }

 private:
  using ErrorCode = boost::system::error_code;

  // What the core has no use for, beside its rows: as good as the row of the same index.
  struct Domain {
    Name name;
    std::shared_ptr<DomainLink> link;
  };
  struct Session {
    Geometry geometry;
    Name device;
    DeviceInfo info;
  };

  // --- requests: messages to actions ---

  void on_message(Handle sender, const Message& message) {
    Message reply;
    Fd socket;  // the end that goes to a new domain
    reply.type = MessageType::Reply;
    reply.tag = message.tag;
    reply.status = answer(sender, message, reply, socket);
    const int fd = socket.get();
    send(sender, reply, std::span(&fd, socket ? 1 : 0));
    socket.reset();  // at once, as the doorbells' ends
    settle();
  }

  // Steps the core, and keeps what only the shell needs of what came into being.
  Status answer(Handle sender, const Message& message, Message& reply, Fd& socket) {
    const MessageType type = message.type;
    const bool looks = type == MessageType::InspectDomain || type == MessageType::InspectSession;
    if (looks && sender.index != kRoot) return Status::NotPermitted;
    if (type == MessageType::InspectDomain) return inspect_domain(message.index, reply);
    if (type == MessageType::InspectSession) return inspect_session(message.index, reply);
    if (type < MessageType::CreateDomain || type > MessageType::SealSystem) return Status::Invalid;
    const bool connects = type == MessageType::Connect;
    if (connects && !message.geometry.valid()) return Status::Invalid;

    Action action{action_of(type), message.status, sender, message.subject, message.object};
    action.pages = connects ? message.geometry.pages : message.pages;
    action.device = message.device;
    const auto [status, made] = apply(action);
    reply.subject = made;
    if (status != Status::Ok) return status;

    if (type == MessageType::CreateDomain) return make_domain(made, message.name, socket);
    if (type == MessageType::GrantDevice) grants_[made.index] = printable(message.name);
    if (connects) sessions_[made.index] = {message.geometry, grants_[message.subject.index], {}};
    if (type == MessageType::Mapped && row(message.subject).driver.domain == sender.index) {
      sessions_[message.subject.index].info = message.info;
    }
    return Status::Ok;
  }

  // The first row in use at or after `index`.
  Status inspect_domain(std::uint32_t index, Message& reply) const {
    while (index < Limits::kDomains && !state_.domains[index].used()) ++index;
    if (index >= Limits::kDomains) return Status::Gone;
    const DomainRow& row = state_.domains[index];
    const std::uint8_t state = row.life == Life::Alive ? 1 : 2;
    reply.name = domains_[index].name;
    reply.row = {index,    row.generation, row.parent, 0,     row.account, row.given,
                 row.lent, row.escrow,     0,          state, 0,           0};
    return Status::Ok;
  }

  Status inspect_session(std::uint32_t index, Message& reply) const {
    while (index < Limits::kSessions && !state_.sessions[index].used()) ++index;
    if (index >= Limits::kSessions) return Status::Gone;
    const SessionRow& row = state_.sessions[index];
    const auto state = static_cast<std::uint8_t>(row.state);
    const std::uint8_t proof = cgroup_ ? 1 : 2;
    reply.name = sessions_[index].device;
    reply.geometry = sessions_[index].geometry;
    const auto [client, driver] = std::pair(row.client.domain, row.driver.domain);
    reply.row = {index, row.generation, client, driver, row.pages, 0, 0,
                 0,     row.device,     state,  proof,  0};
    return Status::Ok;
  }

  Status make_domain(Handle handle, const Name& name, Fd& socket) {
    int pair[2];
    if ((!cgroup_ || cgroup_->add_domain(handle) == Status::Ok) &&
        ::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0) {
      socket = Fd(pair[1]);
      add_domain(handle, printable(name), Fd(pair[0]));
      return Status::Ok;
    }
    results_.push_back({.kind = Does::DomainDied, .subject = handle});
    return Status::IoError;
  }

  void add_domain(Handle handle, const Name& name, Fd socket) {
    const auto link = std::make_shared<DomainLink>(loop_, std::move(socket));
    domains_[handle.index] = {.name = name, .link = link};
    spdlog::info("{} begins", called(handle));
    const auto on_end = [this, handle](std::string_view why) {
      spdlog::info("{} ends: {}", called(handle), why);
      if (handle.index == kRoot) return shut_down("its root is gone");
      settle({.kind = Does::DomainDied, .subject = handle});
    };
    link->start([this, handle](const Message& message) { on_message(handle, message); }, on_end);
  }

  // --- the core ---

  Outcome apply(const Action& action) {
    const Outcome outcome = step(state_, action, effects_);
    if (conservation(state_)) return outcome;
    spdlog::critical("the ledger does not show {} pages any more", state_.budget);
    std::abort();
  }

  // Carries out the effects of the latest step, and of every step that follows from them.
  void settle() {
    while (true) {
      for (const Effect& effect : effects_) perform(effect);
      effects_.clear();
      if (results_.empty()) break;
      apply(results_.front());
      results_.pop_front();
    }
    keep_time();
  }
  void settle(const Action& result) {
    results_.push_back(result);
    settle();
  }

  // --- effects: to system calls and messages ---

  void perform(const Effect& effect) {
    const Handle subject = effect.subject;
    switch (effect.kind) {
      case Effect::Kind::MakeRegion: {
        const Party& pays = kDriverPays ? row(subject).driver : row(subject).client;
        const Handle payer = handle_at(state_.domains, pays.domain);
        spdlog::info("{}: {} pages of {}", session(subject), row(subject).pages, called(payer));
        return regions_.make(subject, payer, sessions_[subject.index].geometry.bytes());
      }
      case Effect::Kind::SealRegion:
        return results_.push_back(
            {.kind = Does::RegionSealed, .status = regions_.seal(subject), .subject = subject});
      case Effect::Kind::LetGo:
        spdlog::info("{} drains: {}", session(subject), to_string(row(subject).reason));
        return regions_.let_go(subject);
      case Effect::Kind::DropDomain:
        spdlog::info("{} is dropped", called(effect.domain));
        if (auto link = std::exchange(domains_[effect.domain.index].link, nullptr)) link->close();
        if (cgroup_) cgroup_->discard_domain(effect.domain);
        return;
      case Effect::Kind::Offer:
        return offer(subject, effect.domain);
      case Effect::Kind::Kill:
        spdlog::warn("{} is to be killed by {}", called(effect.domain), called(subject));
        return tell({.kind = effect.kind, .domain = subject, .subject = effect.domain});
      default:
        return tell(effect);
    }
  }

  void tell(const Effect& effect) {
    Message message;
    message.type = event_of(effect.kind);
    message.status = effect.status;
    message.subject = effect.subject;
    if (message.type == MessageType::Granted) {
      message.name = grants_[effect.subject.index];
      message.device = state_.grants[effect.subject.index].device;
    }
    if (message.type == MessageType::Connected &&
        row(effect.subject).client.domain == effect.domain.index) {
      spdlog::info("{} is connected", session(effect.subject));
      message.info = sessions_[effect.subject.index].info;
    }
    send(effect.domain, message);
  }

  void offer(Handle offered, Handle domain) {
    const SessionRow& session = row(offered);
    const bool to_driver = session.driver.domain == domain.index;
    Message message;
    message.type = MessageType::Offer;
    message.subject = offered;
    message.geometry = sessions_[offered.index].geometry;
    message.device = to_driver ? session.device : 0;
    message.name = domains_[to_driver ? session.client.domain : session.driver.domain].name;
    const RegionKeeper::Parts parts = regions_.offer(offered, to_driver);
    send(domain, message, std::array{parts.memory, parts.kick.get(), parts.call.get()});
  }

  void send(Handle domain, const Message& message, std::span<const int> fds = {}) {
    if (const auto& link = domains_[domain.index].link) link->send(message, fds);
  }

  // --- what becomes of regions ---

  void region_made(Handle session, Status status) override {
    settle({.kind = Does::RegionMade, .status = status, .subject = session});
  }

  void region_free(Handle subject) override {
    spdlog::info("{}: its {} pages are home", session(subject), row(subject).pages);
    settle({.kind = Does::Proven, .subject = subject});
  }

  bool word_given(Handle session) override {
    const auto holds = [this](auto& side) { return side.holds() && domains_[side.domain].link; };
    return !holds(row(session).client) && !holds(row(session).driver);
  }

  // --- time ---

  // Lets the clock run while a deadline does, or a directory is left to be removed.
  void keep_time() {
    const bool used = std::ranges::any_of(state_.sessions, &SessionRow::used);
    const bool timed = std::ranges::any_of(state_.sessions, &SessionRow::deadline_ms);
    const bool swept = !cgroup_ || cgroup_->swept();
    if (closing_down_ && swept && !used) return loop_.stop();
    if (ticking_ || (!timed && swept)) return;
    ticking_ = true;
    clock_.expires_after(std::chrono::milliseconds(kTickMs));
    clock_.async_wait([this](const ErrorCode&) {
      ticking_ = false;
      if (cgroup_) cgroup_->sweep();
      // However late it is: time in which the broker did not run is nobody's fault.
      settle({.kind = Does::Tick, .elapsed_ms = kTickMs});
    });
  }

  void shut_down(std::string_view why) {
    if (std::exchange(closing_down_, true)) return;
    spdlog::info("the broker ends: {}", why);
    last_moment_.expires_after(2 * std::chrono::milliseconds(state_.drain_ms));
    last_moment_.async_wait([this](const ErrorCode&) { loop_.stop(); });
    settle({.kind = Does::DomainDied, .subject = root_handle(state_)});
  }

  [[nodiscard]] const SessionRow& row(Handle session) const {
    return state_.sessions[session.index];
  }
  [[nodiscard]] std::string called(Handle domain) const {
    return label("domain", domain, domains_[domain.index].name);
  }
  [[nodiscard]] std::string session(Handle session) const {
    return label("session", session, sessions_[session.index].device);
  }

  asio::io_context loop_{1};
  asio::steady_timer clock_{loop_};
  asio::steady_timer last_moment_{loop_};
  std::optional<MemoryCgroup> cgroup_;
  RegionKeeper regions_{loop_, cgroup_ ? &*cgroup_ : nullptr, *this};
  State<Limits> state_;
  Effects<Limits> effects_;     // of the latest step, not yet carried out
  std::deque<Action> results_;  // of effects, for the core
  std::array<Domain, Limits::kDomains> domains_;
  std::array<Name, Limits::kGrants> grants_;
  std::array<Session, Limits::kSessions> sessions_;
  bool ticking_ = false;
  bool closing_down_ = false;
};

}  // namespace

bool serve(const Options& options, Fd root) {
  // On the heap: its tables are large.
  return std::make_unique<Shell>(options, std::move(root))->serve();
}

}  // namespace cede::broker
