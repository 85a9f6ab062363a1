// SPDX-License-Identifier: Apache-2.0
// The report as one HTML page that needs nothing else, no network and no script: it can be mailed,
// archived, printed and read out. It is well-formed XML too.
#pragma once

#include <string>
#include <string_view>

#include "tests/report/report.h"

namespace cede::report {

[[nodiscard]] std::string as_page(const Report& report);

// Its looks. Free of '<' and '&', which a style element would not keep.
[[nodiscard]] std::string_view style_sheet();

}  // namespace cede::report
