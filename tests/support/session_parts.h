// SPDX-License-Identifier: Apache-2.0
// What a broker would hand out in an Offer, made by the test itself: a populated region and both
// doorbells, each side's descriptors apart.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <stdexcept>

#include "protocols/posix/doorbell.h"
#include "protocols/posix/fd.h"
#include "protocols/session.h"

namespace cede::test {

struct OfferFds {
  Fd region;
  Fd kick;
  Fd call;
};

struct SessionParts {
  Geometry geometry;
  OfferFds driver;
  OfferFds client;
};

[[nodiscard]] inline Fd checked(int fd) {
  if (fd < 0) throw std::runtime_error("cannot make a descriptor for the test session");
  return Fd(fd);
}

[[nodiscard]] inline SessionParts make_session_parts(const Geometry& geometry) {
  SessionParts parts;
  parts.geometry = geometry;
  Fd region = checked(::memfd_create("test-region", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (::posix_fallocate(region.get(), 0, static_cast<off_t>(geometry.bytes())) != 0) {
    throw std::runtime_error("cannot populate the test region");
  }
  parts.driver.region = checked(::fcntl(region.get(), F_DUPFD_CLOEXEC, 0));
  parts.client.region = std::move(region);
  Result<DoorbellEnds> kick = make_doorbell();
  Result<DoorbellEnds> call = make_doorbell();
  if (!kick || !call) throw std::runtime_error("cannot make the test session's doorbells");
  parts.client.kick = std::move(kick->ringer);
  parts.driver.kick = std::move(kick->waiter);
  parts.driver.call = std::move(call->ringer);
  parts.client.call = std::move(call->waiter);
  return parts;
}

// The client's region once more, for a test that does with it what a client could.
[[nodiscard]] inline Fd region_of(const SessionParts& parts) {
  return checked(::fcntl(parts.client.region.get(), F_DUPFD_CLOEXEC, 0));
}

}  // namespace cede::test
