// SPDX-License-Identifier: Apache-2.0
// Boost.JSON, header-only: its one translation unit.
#include <boost/json/src.hpp>
