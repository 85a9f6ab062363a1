// SPDX-License-Identifier: Apache-2.0
#include "driver_vm/block/export_spec.h"

#include <fmt/format.h>
#include <linux/virtio_blk.h>

#include <charconv>
#include <set>

#include "driver_vm/scheduler.h"
#include "driver_vm/setup_error.h"
#include "protocols/stats.h"

namespace cede::driver {
namespace {

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  [[nodiscard]] ExportSpec parse() {
    std::string_view rest = text_;
    while (!rest.empty()) {
      const std::string_view item = rest.substr(0, rest.find(','));
      rest.remove_prefix(std::min(rest.size(), item.size() + 1));
      const std::size_t equals = item.find('=');
      const std::string_view key = item.substr(0, equals);
      if (!seen_.insert(key).second) fail(fmt::format("{} is given twice", key));
      if (equals == std::string_view::npos) {
        flag(key);
      } else {
        value(key, item.substr(equals + 1));
      }
    }
    if (!seen_.contains("device")) fail("device=N is missing");
    if (!seen_.contains("name")) fail("name=TEXT is missing");
    if (seen_.contains("partition") && (seen_.contains("offset") || seen_.contains("length"))) {
      fail("give either partition or offset and length");
    }
    return spec_;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw SetupError(fmt::format("--export '{}': {}", text_, what));
  }

  void flag(std::string_view key) {
    if (key != "read_only") fail(fmt::format("'{}' is not an option, or lacks its value", key));
    spec_.read_only = true;
  }

  void value(std::string_view key, std::string_view given) {
    if (key == "device") {
      spec_.device = static_cast<std::uint32_t>(number(key, given, 0, kMaxDevices - 1));
    } else if (key == "name") {
      spec_.name = text(key, given, SIZE_MAX);
    } else if (key == "partition") {
      spec_.partition = text(key, given, SIZE_MAX);
    } else if (key == "offset") {
      spec_.offset = number(key, given, 0, UINT64_MAX);
    } else if (key == "length") {
      spec_.length = number(key, given, 1, UINT64_MAX);
    } else if (key == "weight") {
      spec_.weight = static_cast<std::uint32_t>(number(key, given, 1, Scheduler::kMaxWeight));
    } else if (key == "iops") {
      spec_.iops = number(key, given, 0, UINT64_MAX);
    } else if (key == "bps") {
      spec_.bps = number(key, given, 0, UINT64_MAX);
    } else if (key == "serial") {
      spec_.serial = text(key, given, VIRTIO_BLK_ID_BYTES);
    } else {
      fail(fmt::format("'{}' is not an option", key));
    }
  }

  [[nodiscard]] std::uint64_t number(std::string_view key, std::string_view given,
                                     std::uint64_t least, std::uint64_t most) const {
    std::uint64_t number = 0;
    const char* const end = given.data() + given.size();
    const auto [stop, error] = std::from_chars(given.data(), end, number);
    if (error != std::errc() || stop != end || number < least || number > most) {
      fail(fmt::format("{}={} is not a number from {} to {}", key, given, least, most));
    }
    return number;
  }

  [[nodiscard]] std::string text(std::string_view key, std::string_view given,
                                 std::size_t most) const {
    if (given.empty()) fail(fmt::format("{} is empty", key));
    if (given.size() > most) fail(fmt::format("{} is longer than {} bytes", key, most));
    return std::string(given);
  }

  std::string_view text_;
  ExportSpec spec_;
  std::set<std::string_view> seen_;
};

}  // namespace

ExportSpec parse_export(std::string_view text) {
  return Parser(text).parse();
}

}  // namespace cede::driver
