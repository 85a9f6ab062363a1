// SPDX-License-Identifier: Apache-2.0
// Both sides of a closed loop of requests and responses: the same for every contender, on memory
// and on the model.
//
// Pace::more(sent) says whether another batch is to be sent, Pace::answered(number) is told of each
// response. Waiting::rest(end) is called when there is nothing to do,
// Waiting::publish(end) publishes and rings the peer's doorbell if that is wanted.
#pragma once

#include <cstdint>

#include "tests/bench/ring/contender.h"
#include "tests/bench/ring/message.h"
#include "tests/bench/ring/roster.h"

namespace cede::bench::ring {

struct Tally {
  std::uint64_t answered = 0;
  std::uint64_t wrong = 0;  // responses that are not the next one that is due
};

// Takes what has been answered. Says how much that was.
template <class Item, End<Item> Front, class Pace>
std::uint64_t collect(Front& front, Tally& tally, Pace& pace) {
  const std::uint64_t before = tally.answered;
  Item response;
  while (front.take(response)) {
    if (!answers(response, tally.answered)) ++tally.wrong;
    pace.answered(tally.answered++);
  }
  return tally.answered - before;
}

// Ends the conversation after the last batch, so that the backend returns, too.
template <class Item, End<Item> Front, class Waiting, class Pace>
Tally request_all(Front& front, Load load, Waiting& waiting, Pace& pace) {
  Tally tally;
  std::uint64_t sent = 0;
  const auto collect_some = [&] {
    if (collect<Item>(front, tally, pace) == 0) waiting.rest(front);
  };
  while (true) {
    while (load.window - (sent - tally.answered) < load.batch) collect_some();
    if (!pace.more(sent)) break;
    for (std::uint32_t i = 0; i < load.batch; ++i) front.put(make_request<Item>(sent++));
    waiting.publish(front);
  }
  while (tally.answered != sent) collect_some();
  front.put(make_request<Item>(kLastRequest));
  waiting.publish(front);
  Item farewell;
  while (!front.take(farewell)) waiting.rest(front);
  if (!answers(farewell, kLastRequest)) ++tally.wrong;
  return tally;
}

// Answers up to a batch of what is there. True: that was the last of the conversation.
template <class Item, End<Item> Back, class Waiting>
bool answer_some(Back& back, Load load, Waiting& waiting) {
  Item request;
  bool last = false;
  std::uint32_t count = 0;
  while (count < load.batch && !last && back.take(request)) {
    back.put(make_response(request));
    last = request.words[0] == kLastRequest;
    ++count;
  }
  if (count == 0) {
    waiting.rest(back);
  } else {
    waiting.publish(back);
  }
  return last;
}

template <class Item, End<Item> Back, class Waiting>
void answer_all(Back& back, Load load, Waiting& waiting) {
  while (!answer_some<Item>(back, load, waiting)) {
  }
}

}  // namespace cede::bench::ring
