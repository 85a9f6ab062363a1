// SPDX-License-Identifier: Apache-2.0
#include "frontend/net/loss_report.h"

#include <spdlog/spdlog.h>

#include <cstddef>

namespace cede::frontend {

void LossReport::ended(const NetDevice& session) noexcept {
  refused_ += session.refused();
  unfit_ += session.unfit();
}

void LossReport::log(const std::string& device, const NetDevice* session,
                     std::vector<Count> counts) {
  const bool now = session != nullptr;
  counts.push_back({refused_ + (now ? session->refused() : 0), "that the driver refused"});
  counts.push_back({unfit_ + (now ? session->unfit() : 0), "that left too much undone"});
  said_.resize(counts.size());
  std::string text;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const std::uint64_t frames = counts[i].frames - said_[i];
    said_[i] = counts[i].frames;
    if (frames == 0) continue;
    if (!text.empty()) text += ", ";
    text += std::to_string(frames) + " " + counts[i].reason;
  }
  if (!text.empty()) spdlog::info("{}: frames lost: {}", device, text);
}

}  // namespace cede::frontend
