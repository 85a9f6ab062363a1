// SPDX-License-Identifier: Apache-2.0
// What an attacker looks at of the options that the supervisor gave to the program it stands in
// for.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace cede::attack {

struct ProgramOptions {
  int capability = -1;
  uid_t uid = 0;
  gid_t gid = 0;
  std::string_view disk_socket;  // of a peer, which serves vhost-user
  std::string_view port_socket;  // likewise
  int disk = -1;                 // a driver's, with the one export it has
  off_t export_offset = 0;
  std::uint64_t export_length = 0;

  ProgramOptions(int count, char** words) {
    for (int i = 0; i + 1 < count; ++i) {
      const std::string_view key = words[i];
      const char* const value = words[i + 1];
      if (key == "--capability") capability = std::atoi(value);
      if (key == "--uid") uid = static_cast<uid_t>(std::atoi(value));
      if (key == "--gid") gid = static_cast<gid_t>(std::atoi(value));
      if (key == "--disk-socket") disk_socket = value;
      if (key == "--port-socket") port_socket = value;
      if (key == "--disk-fd") disk = std::atoi(value);
      if (key == "--export") take_export(value);
    }
  }

 private:
  void take_export(std::string_view text) {
    const auto number = [text](std::string_view key) {
      return std::strtoull(text.data() + text.find(key) + key.size(), nullptr, 10);
    };
    export_offset = static_cast<off_t>(number("offset="));
    export_length = number("length=");
  }
};

}  // namespace cede::attack
