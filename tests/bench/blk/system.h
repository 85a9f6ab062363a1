// SPDX-License-Identifier: Apache-2.0
// A system under test: an image of its own, the processes that serve it, and a target of the load.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/bench/blk/check.h"
#include "tests/bench/blk/load.h"
#include "tests/bench/blk/ram_image.h"
#include "tests/bench/server_process.h"

namespace cede::bench {

class System {
 public:
  System() = default;
  System(const System&) = delete;
  System& operator=(const System&) = delete;
  virtual ~System() = default;

  // Beside this process, which is the client. Constant over the system's life.
  [[nodiscard]] virtual std::vector<ServerProcess> servers() const = 0;
  // Both throw std::runtime_error where the system fails for good.
  [[nodiscard]] virtual Sample run(const Workload& workload, std::chrono::nanoseconds duration) = 0;
  virtual void check() = 0;
};

// The part that is the same for every target: the load generator, compiled against it.
template <class Target>
class TargetSystem : public System {
 public:
  Sample run(const Workload& workload, std::chrono::nanoseconds duration) override {
    return run_load(target(), workload, image_.bytes(), duration);
  }
  void check() override { check_data(target(), image_); }

 protected:
  explicit TargetSystem(std::uint64_t image_bytes) : image_(image_bytes) {}
  [[nodiscard]] const RamImage& image() const noexcept { return image_; }
  [[nodiscard]] virtual Target& target() = 0;

 private:
  RamImage image_;
};

// How the table calls a system, what it is, and how to set it up (throws std::runtime_error).
struct SystemKind {
  std::string_view name;
  std::string_view what;
  std::function<std::unique_ptr<System>(std::uint64_t image_bytes)> start;
};

[[nodiscard]] std::span<const SystemKind> system_kinds();

}  // namespace cede::bench
