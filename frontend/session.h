// SPDX-License-Identifier: Apache-2.0
// A connected session as a client holds it: the mapped region, the doorbells, the driver's words.
//
// Made by SessionClient (frontend/session_client.h) from the broker's Offer and Connected, or by a
// test out of a plain memfd. Movable; dropping it unmaps the region and closes the doorbells, after
// which the client can tell the broker Release with a clear conscience.
#pragma once

#include "protocols/control.h"
#include "protocols/posix/doorbell.h"
#include "protocols/posix/fd.h"
#include "protocols/posix/mapping.h"

namespace cede::frontend {

struct Session {
  Handle handle;
  Geometry geometry;
  DeviceInfo info;
  Mapping region;
  KickRinger kick;
  CallWaiter call;
  Fd region_fd{};  // kept only where a revocation audit was asked for, closed otherwise
};

}  // namespace cede::frontend
