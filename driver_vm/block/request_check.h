// SPDX-License-Identifier: Apache-2.0
// Judges a request's private copy. Pure.
//
// A request that makes no sense for the volume is answered with an error: guests send such things.
// An extent outside the session's payload can only come from a frontend that breaks the protocol,
// and ends the session. Ids are judged by BlockSession, which knows what is in flight.
#pragma once

#include <cstdint>
#include <string_view>

#include "protocols/block.h"
#include "protocols/session.h"

namespace cede::driver {

struct Judgement {
  enum class Kind : std::uint8_t { Run, Answer, Broken };

  Kind kind = Kind::Run;
  std::uint32_t status = VIRTIO_BLK_S_OK;  // Answer
  std::string_view reason{};               // Broken; a literal
};

// `info` is what the client was told of the volume: it is held to that.
[[nodiscard]] constexpr Judgement judge(const block::Request& request, const block::Info& info,
                                        const Geometry& geometry) noexcept {
  using block::Info;
  using block::Request;
  constexpr Judgement kError{.kind = Judgement::Kind::Answer, .status = VIRTIO_BLK_S_IOERR};
  constexpr Judgement kUnsupported{.kind = Judgement::Kind::Answer, .status = VIRTIO_BLK_S_UNSUPP};
  constexpr Judgement kOutside{.kind = Judgement::Kind::Broken,
                               .reason = "an extent outside the payload pages"};

  const bool erase =
      request.type == VIRTIO_BLK_T_DISCARD || request.type == VIRTIO_BLK_T_WRITE_ZEROES;
  const bool transfer = request.transfers();
  const bool get_id = request.type == VIRTIO_BLK_T_GET_ID;
  const bool flush = request.type == VIRTIO_BLK_T_FLUSH;
  if (!erase && !transfer && !get_id && !flush) return kUnsupported;

  if ((transfer || get_id) && !geometry.holds(request.offset, request.length)) return kOutside;
  if (request.reserved != 0) return kUnsupported;
  const std::uint16_t known_flags =
      request.type == VIRTIO_BLK_T_WRITE_ZEROES ? Request::kUnmap : std::uint16_t{0};
  if ((request.flags & ~known_flags) != 0) return kUnsupported;
  if (!transfer && !get_id && request.offset != 0) return kError;

  if (flush) return request.sector == 0 && request.length == 0 ? Judgement{} : kError;
  if (get_id) {
    return request.sector == 0 && request.length == VIRTIO_BLK_ID_BYTES ? Judgement{} : kError;
  }

  if (request.type == VIRTIO_BLK_T_DISCARD && (info.features & Info::kDiscard) == 0) {
    return kUnsupported;
  }
  if (request.type != VIRTIO_BLK_T_IN && (info.features & Info::kReadOnly) != 0) return kError;
  if (request.length == 0 || request.length > (erase ? info.max_erase : info.max_transfer)) {
    return kError;
  }
  if (request.length % info.logical_block != 0) return kError;
  const std::uint32_t sectors_in_block = info.logical_block / block::kSectorBytes;
  if (request.sector % sectors_in_block != 0) return kError;
  const std::uint64_t length = request.length / block::kSectorBytes;
  if (request.sector > info.sectors || length > info.sectors - request.sector) return kError;
  return {};
}

}  // namespace cede::driver
