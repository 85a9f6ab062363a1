// SPDX-License-Identifier: Apache-2.0
// What a virtio-blk device of ours offers: feature bits and configuration space (virtio 1.2,
// sections 5.2.3 and 5.2.4), from what the driver domain says of the volume.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "frontend/vhost_user/blk_request.h"
#include "frontend/vhost_user/protocol.h"

namespace cede::vhost_user {

// Of SET_FEATURES: virtio's bits, and vhost-user's own (kFeatureProtocolFeatures).
[[nodiscard]] std::uint64_t blk_features(const BlkRules& rules, std::uint16_t queues) noexcept;

// virtio_blk_config, and zeroes to the end of what a front-end may ask for.
[[nodiscard]] std::array<std::byte, kMaxConfigBytes> blk_config(const BlkRules& rules,
                                                                std::uint16_t queues) noexcept;

}  // namespace cede::vhost_user
