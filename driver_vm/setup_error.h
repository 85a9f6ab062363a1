// SPDX-License-Identifier: Apache-2.0
// Why a driver cannot start: one line for the user, naming what, where and the remedy.
#pragma once

#include <stdexcept>

namespace cede::driver {

// Thrown before the driver serves anybody, and never after.
class SetupError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace cede::driver
