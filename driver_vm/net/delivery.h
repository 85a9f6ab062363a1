// SPDX-License-Identifier: Apache-2.0
// The last step of a frame: into the form that its receiver understands.
#pragma once

#include <cstdint>

#include "driver_vm/net/frame.h"
#include "driver_vm/net/segmenter.h"

namespace cede::driver {

struct ReceiverForm {
  std::uint32_t offloads = 0;  // Offload bits
  bool tagged = false;         // with its VLAN tag
};

// Hands `frame` to `put(header, pieces)`: whole if the receiver understands it whole, else with its
// checksum done, else in cuts, until put() says false.
template <class Put>
void deliver(Frame& frame, ReceiverForm form, Put&& put) {
  if ((frame.needs() & ~form.offloads) == 0) {
    net::Header header = frame.header(form.tagged);
    if ((form.offloads & net::Offload::kChecksum) == 0) header.flags = 0;
    (void)put(header, frame.pieces(form.tagged));
    return;
  }
  if (!frame.segmented()) {
    frame.complete_checksum();
    (void)put(net::Header{}, frame.pieces(form.tagged));
    return;
  }
  Segmenter segments(frame, form.tagged);
  Pieces pieces;
  while (segments.next(pieces)) {
    if (!put(net::Header{}, pieces)) return;
  }
}

}  // namespace cede::driver
