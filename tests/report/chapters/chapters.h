// SPDX-License-Identifier: Apache-2.0
// One reader for each part's results, one file each. A reader shows what is there, and throws
// std::runtime_error where there is nothing that it knows.
#pragma once

#include <boost/json/fwd.hpp>
#include <vector>

#include "tests/report/content.h"

namespace cede::report {

[[nodiscard]] Chapter read_attack(const boost::json::value& results);
[[nodiscard]] Chapter read_ring(const boost::json::value& results);
[[nodiscard]] Chapter read_block(const boost::json::value& results);
[[nodiscard]] Chapter read_net(const boost::json::value& results);
[[nodiscard]] Chapter read_scale(const boost::json::value& results);
[[nodiscard]] Chapter read_recovery(const boost::json::value& results);
[[nodiscard]] Chapter read_vm(const boost::json::value& results);

}  // namespace cede::report
