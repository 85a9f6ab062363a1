// SPDX-License-Identifier: Apache-2.0
#include "frontend/vhost_user/device_option.h"

#include <charconv>

#include "protocols/block.h"

namespace cede::vhost_user {

namespace {

[[noreturn]] void fail(std::string_view text, const std::string& why) {
  throw OptionError("--device '" + std::string(text) + "': " + why);
}

template <class T>
T number(std::string_view text, std::string_view key, std::string_view value) {
  T result{};
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), result);
  if (error != std::errc() || end != value.data() + value.size()) {
    fail(text, std::string(key) + " takes a number, not '" + std::string(value) + "'");
  }
  return result;
}

}  // namespace

Geometry DeviceOption::geometry() const noexcept {
  return {.pages = pages, .rings = queues, .slot_bytes = block::kSlotBytes, .slots = slots};
}

DeviceOption parse_device_option(std::string_view text) {
  DeviceOption option;
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view item = rest.substr(0, rest.find(','));
    rest.remove_prefix(item.size() < rest.size() ? item.size() + 1 : item.size());
    const std::size_t equals = item.find('=');
    if (equals == std::string_view::npos) {
      fail(text, "'" + std::string(item) + "' is not of the form key=value");
    }
    const std::string_view key = item.substr(0, equals);
    const std::string_view value = item.substr(equals + 1);
    if (key == "name") {
      option.name = value;
    } else if (key == "socket") {
      option.socket = value;
    } else if (key == "queues") {
      option.queues = number<std::uint16_t>(text, key, value);
    } else if (key == "slots") {
      option.slots = number<std::uint32_t>(text, key, value);
    } else if (key == "pages") {
      option.pages = number<std::uint32_t>(text, key, value);
    } else {
      fail(text,
           "there is no '" + std::string(key) + "'; use name, socket, queues, slots and pages");
    }
  }
  if (option.name.empty() || option.socket.empty()) fail(text, "give name= and socket=");
  if (!option.geometry().valid()) {
    fail(text,
         "queues is 1 to 16; slots and pages are powers of two, up to 4096 and 262144, with "
         "room for the rings and some payload in the pages");
  }
  return option;
}

}  // namespace cede::vhost_user
