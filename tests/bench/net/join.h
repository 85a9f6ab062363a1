// SPDX-License-Identifier: Apache-2.0
// Two network namespaces joined by a system under test: left is kLeft, right is kRight.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tests/bench/server_process.h"
#include "tests/support/network_namespace.h"

namespace cede::bench {

class Join {
 public:
  static constexpr const char* kLeft = "10.77.0.1";
  static constexpr const char* kRight = "10.77.0.2";

  Join() = default;
  Join(const Join&) = delete;
  Join& operator=(const Join&) = delete;
  virtual ~Join() = default;

  // Processes that carry the frames; none where it is the kernel.
  [[nodiscard]] virtual std::vector<ServerProcess> servers() const { return {}; }
  [[nodiscard]] const test::NetworkNamespace& left() const noexcept { return left_; }
  [[nodiscard]] const test::NetworkNamespace& right() const noexcept { return right_; }

 protected:
  test::NetworkNamespace left_;
  test::NetworkNamespace right_;
};

// How the table calls it, what it is, and how to set it up (throws std::runtime_error).
struct JoinKind {
  std::string_view name;
  std::string_view what;
  std::function<std::unique_ptr<Join>()> start;
};

[[nodiscard]] std::span<const JoinKind> join_kinds();

}  // namespace cede::bench
