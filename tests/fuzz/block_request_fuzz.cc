// SPDX-License-Identifier: Apache-2.0
// Any 32 bytes as a block request: what the driver goes on to run stays inside the client's volume
// and the session's payload.
#include "driver_vm/block/request_check.h"
#include "tests/fuzz/fuzz_input.h"

using namespace cede;        // NOLINT: a fuzz target is one function
using namespace cede::fuzz;  // NOLINT

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  Geometry geometry = input.take<Geometry>();
  if (!geometry.valid()) geometry = {4096, 1, 32, 128};
  auto info = input.take<block::Info>();
  if (!info.valid()) {
    info = {.sectors = input.take<std::uint16_t>() * 8ULL,
            .logical_block = input.below(2) == 0 ? 512U : 4096U,
            .physical_block = 4096,
            .max_transfer = 1 << 20,
            .max_erase = 1 << 30,
            .features = input.take<std::uint8_t>()};
  }

  while (!input.empty()) {
    const auto request = input.take<block::Request>();
    const driver::Judgement judgement = driver::judge(request, info, geometry);
    if (judgement.kind != driver::Judgement::Kind::Run) continue;
    __extension__ using Wide = unsigned __int128;
    const bool moves = request.type == VIRTIO_BLK_T_IN || request.type == VIRTIO_BLK_T_OUT ||
                       request.type == VIRTIO_BLK_T_GET_ID;
    const bool changes = request.type == VIRTIO_BLK_T_OUT || request.type == VIRTIO_BLK_T_DISCARD ||
                         request.type == VIRTIO_BLK_T_WRITE_ZEROES;
    const bool addresses = changes || request.type == VIRTIO_BLK_T_IN;
    require(!moves || (request.offset >= geometry.data_offset() &&
                       Wide{request.offset} + request.length <= Wide{geometry.bytes()}),
            "the payload is the session's");
    require(!addresses || Wide{request.sector} * block::kSectorBytes + request.length <=
                              Wide{info.sectors} * block::kSectorBytes,
            "the extent is the volume's");
    require(!addresses || (request.length % info.logical_block == 0 &&
                           request.sector * block::kSectorBytes % info.logical_block == 0),
            "whole logical blocks");
    require(!changes || (info.features & block::Info::kReadOnly) == 0, "read-only is read-only");
  }
  return 0;
}
