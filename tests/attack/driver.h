// SPDX-License-Identifier: Apache-2.0
// What a hostile block driver has: its capability socket, one client's session, and its disk, which
// it serves honestly until it turns. One thread.
#pragma once

#include <optional>
#include <string_view>

#include "protocols/block.h"
#include "protocols/posix/control_link.h"
#include "protocols/posix/doorbell.h"
#include "protocols/posix/mapping.h"
#include "protocols/ring.h"
#include "tests/attack/program_options.h"
#include "tests/attack/stage.h"

namespace cede::attack {

class Driver {
 public:
  using Ring = BackRing<block::Request, block::Response>;

  Driver(Fd capability, const ProgramOptions& options, Stage& stage);

  // Serves its client until the arena gives the sign.
  void behave_until_begun();
  // What the next session's client is told of the disk.
  [[nodiscard]] block::Info& info() { return info_; }

  [[nodiscard]] Stage& stage() { return stage_; }
  [[nodiscard]] ControlLink& link() { return link_; }
  [[nodiscard]] Ring& ring() { return *ring_; }
  [[nodiscard]] Handle session() const { return session_; }
  [[nodiscard]] const Geometry& geometry() const { return geometry_; }
  [[nodiscard]] Mapping& memory() { return memory_; }
  [[nodiscard]] const Mapping& memory() const { return memory_; }
  [[nodiscard]] int region() const { return region_.get(); }
  [[nodiscard]] CallRinger& call() { return *call_; }

  // The client's next request, if there is one within the time.
  [[nodiscard]] std::optional<block::Request> next(int patience_ms = 1000);
  // Does what it asks for. VIRTIO_BLK_S_*.
  [[nodiscard]] std::uint32_t execute(const block::Request& request) const;
  void answer(std::uint32_t id, std::uint32_t status);
  // The client's requests, each answered in the same wrong way, until the session is being ended;
  // the arena is told so.
  template <class Answer>
  void misanswer(Answer answer);

  // Listens to the broker, and keeps to the protocol in what it says; Closing is only noted.
  void listen(int patience_ms);
  // The session is being ended, or the broker has dropped us.
  [[nodiscard]] bool is_closing() const { return closing_ || gone_; }
  [[nodiscard]] bool await_closing(int patience_ms = kPatienceMs);
  [[nodiscard]] bool is_closed() const { return closed_; }
  [[nodiscard]] bool await_closed(int patience_ms = kPatienceMs);
  void send(MessageType type, Status status = Status::Ok) { send(type, status, session_); }
  void send(MessageType type, Status status, Handle subject);
  // The same, and waits for the broker's answer. Gone: there is none.
  [[nodiscard]] Status ask(MessageType type) { return ask(type, Status::Ok, session_); }
  [[nodiscard]] Status ask(MessageType type, Status status, Handle subject);
  // Closes the session where nobody has, lets go of it as it should, and waits for the client's
  // next. False: there is none within the time.
  [[nodiscard]] bool begin_anew(int patience_ms = kPatienceMs);
  // The same up to the next session's Offer, which is mapped and left for the attack to answer. To
  // be followed by await_closed().
  [[nodiscard]] bool await_offer(int patience_ms = kPatienceMs);
  // Drops mapping and descriptors of the session, and says nothing.
  void let_go();

 private:
  static constexpr int kPatienceMs = 10'000;

  void accept(ControlLink::Incoming& offer);
  void say_mapped();
  // False: the session does not end.
  [[nodiscard]] bool end_session();
  // Listens until it is so. False: it is not within the time, or the broker has dropped us.
  template <class Condition>
  bool listen_until(Condition condition, int patience_ms);

  ProgramOptions options_;
  Stage& stage_;
  ControlLink link_;
  block::Info info_;
  std::uint32_t awaited_tag_ = 0;
  std::optional<Status> reply_;
  Handle session_;
  Geometry geometry_;
  Fd region_;
  Mapping memory_;
  std::optional<KickWaiter> kick_;
  std::optional<CallRinger> call_;
  std::optional<Ring> ring_;
  bool answers_offers_ = true;
  bool connected_ = false;
  bool closing_ = false;
  bool closed_ = false;
  bool gone_ = false;
};

template <class Answer>
void Driver::misanswer(Answer answer) {
  while (!is_closing()) {
    if (const auto request = next(20)) answer(*request);
    listen(0);
  }
  stage_.cut_off();
}

}  // namespace cede::attack
