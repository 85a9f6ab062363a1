// SPDX-License-Identifier: Apache-2.0
#include "driver_vm/block/export_spec.h"

#include <linux/virtio_blk.h>

#include "driver_vm/option_text.h"
#include "driver_vm/scheduler.h"
#include "protocols/stats.h"

namespace cede::driver {

ExportSpec parse_export(std::string_view text) {
  OptionText option("--export", text);
  ExportSpec spec;
  const auto flag = [&](std::string_view key) {
    spec.read_only = key == "read_only";
    return spec.read_only;
  };
  const auto value = [&](std::string_view key, std::string_view given) {
    if (key == "device") {
      spec.device = static_cast<std::uint32_t>(option.number(key, given, 0, kMaxDevices - 1));
    } else if (key == "name") {
      spec.name = option.words(key, given);
    } else if (key == "partition") {
      spec.partition = option.words(key, given);
    } else if (key == "offset") {
      spec.offset = option.number(key, given, 0, UINT64_MAX);
    } else if (key == "length") {
      spec.length = option.number(key, given, 1, UINT64_MAX);
    } else if (key == "weight") {
      spec.weight = static_cast<std::uint32_t>(option.number(key, given, 1, Scheduler::kMaxWeight));
    } else if (key == "iops") {
      spec.iops = option.number(key, given, 0, UINT64_MAX);
    } else if (key == "bps") {
      spec.bps = option.number(key, given, 0, UINT64_MAX);
    } else if (key == "serial") {
      spec.serial = option.words(key, given, VIRTIO_BLK_ID_BYTES);
    } else {
      return false;
    }
    return true;
  };
  option.parse(flag, value);
  if (!option.has("device")) option.fail("device=N is missing");
  if (!option.has("name")) option.fail("name=TEXT is missing");
  if (option.has("partition") && (option.has("offset") || option.has("length"))) {
    option.fail("give either partition or offset and length");
  }
  return spec;
}

}  // namespace cede::driver
