// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "tests/attack/attack.h"
#include "tests/attack/driver.h"
#include "tests/attack/random.h"

namespace cede::attack {
namespace {

constexpr std::uint64_t kLongestMs = 20;

enum class Answer { Refuse, Close, Release, Silence };

void give(Driver& driver, Answer answer) {
  switch (answer) {
    case Answer::Refuse:
      driver.let_go();
      return driver.send(MessageType::Refuse, Status::NoMemory);
    case Answer::Release:
      driver.let_go();
      return driver.send(MessageType::Release);
    case Answer::Close:
      return driver.send(MessageType::Close, Status::Broken);
    case Answer::Silence:
      return;
  }
}

// Answers the next Offer so, and sees the session to its end. False: it was told so.
bool fail_to_map(Driver& driver, Answer answer, std::uint64_t after_ms) {
  if (!driver.await_offer()) {
    driver.stage().broke("its client does not come back");
    return false;
  }
  driver.listen(static_cast<int>(after_ms));
  give(driver, answer);
  // It is asked to let go where it has said nothing of the kind.
  if (answer == Answer::Close || answer == Answer::Silence) {
    (void)driver.await_closing();
    driver.let_go();
    driver.send(MessageType::Release);
  }
  if (driver.await_closed()) return true;
  driver.stage().broke("a session that never was connected does not end");
  return false;
}

void run(Driver& driver) {
  for (Random random;;) {
    for (const Answer answer : {Answer::Refuse, Answer::Close, Answer::Release, Answer::Silence}) {
      if (!fail_to_map(driver, answer, random.below(kLongestMs))) return;
    }
    if (!driver.begin_anew()) return driver.stage().broke("its client comes back no more");
    const auto request = driver.next(10'000);
    if (!request) return driver.stage().broke("its client is back, and asks for nothing");
    driver.answer(request->id, driver.execute(*request));
  }
}

const Entry entry{
    {.name = "close-before-mapped",
     .family = "hostile-driver",
     .source =
         "XSA-465, and XSA-361, 362, 367 turned round: mappings that fail at changing moments",
     .does = "answers each Offer with Refuse, Close, Release or nothing instead of Mapped",
     .holds = "its client backs off and comes back to a driver that behaves; nothing leaks",
     .fate = Fate::Stays,
     .run = &run}};

}  // namespace
}  // namespace cede::attack
