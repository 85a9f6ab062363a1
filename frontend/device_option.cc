// SPDX-License-Identifier: Apache-2.0
#include "frontend/device_option.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "protocols/block.h"
#include "protocols/net.h"

namespace cede::frontend {

namespace {

using Class = DeviceOption::Class;

struct Kind {
  std::string_view name;  // after class=
  std::uint32_t slots;    // unless said otherwise
  std::array<std::string_view, 5> keys;
  std::string_view required;
  std::string_view ranges;
};

const Kind& kind_of(Class device_class) noexcept {
  static constexpr Kind kBlock{
      "block",
      128,
      {"name", "socket", "queues", "slots", "pages"},
      "name= and socket=",
      "queues is 1 to 16; slots and pages are powers of two, up to 4096 and 262144, with room for "
      "the rings and some payload in the pages"};
  static constexpr Kind kNet{"net",
                             net::kSlots,
                             {"name", "socket", "queues", "slots"},
                             "name= and socket=",
                             "queues is 1 to 7; slots is a power of two, 64 to 4096"};
  static constexpr Kind kTap{"tap",
                             net::kSlots,
                             {"name", "tap", "slots"},
                             "name= and tap=",
                             "tap names 1 to 7 descriptors; slots is a power of two, 64 to 4096"};
  switch (device_class) {
    case Class::Net:
      return kNet;
    case Class::Tap:
      return kTap;
    case Class::Block:
      break;
  }
  return kBlock;
}

// One option's text, taken apart.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  DeviceOption parse() {
    for_items([&](std::string_view key, std::string_view value) {
      if (key == "class") option_.device_class = class_named(value);
    });
    const Kind& kind = kind_of(option_.device_class);
    option_.slots = kind.slots;
    option_.pages = 4096;
    for_items([&](std::string_view key, std::string_view value) { set(kind, key, value); });
    const bool tap = option_.device_class == Class::Tap;
    if (tap) option_.queues = static_cast<std::uint16_t>(std::min<std::size_t>(taps().size(), 99));
    if (option_.name.empty() || (tap ? taps().empty() : option_.socket.empty())) {
      fail("give " + std::string(kind.required));
    }
    if (!sensible()) fail(std::string(kind.ranges));
    return std::move(option_);
  }

 private:
  [[noreturn]] void fail(const std::string& why) const {
    throw OptionError("--device '" + std::string(text_) + "': " + why);
  }

  template <class Take>
  void for_items(Take take) const {
    for (std::string_view rest = text_; !rest.empty();) {
      const std::string_view item = rest.substr(0, rest.find(','));
      rest.remove_prefix(item.size() < rest.size() ? item.size() + 1 : item.size());
      const std::size_t equals = item.find('=');
      if (equals == std::string_view::npos) {
        fail("'" + std::string(item) + "' is not of the form key=value");
      }
      take(item.substr(0, equals), item.substr(equals + 1));
    }
  }

  [[nodiscard]] Class class_named(std::string_view name) const {
    for (const Class known : {Class::Block, Class::Net, Class::Tap}) {
      if (kind_of(known).name == name) return known;
    }
    fail("there is no class '" + std::string(name) + "'; use block, net or tap");
  }

  template <class T>
  [[nodiscard]] T number(std::string_view key, std::string_view value) const {
    T result{};
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), result);
    if (error != std::errc() || end != value.data() + value.size()) {
      fail(std::string(key) + " takes a number, not '" + std::string(value) + "'");
    }
    return result;
  }

  void set(const Kind& kind, std::string_view key, std::string_view value) {
    if (key == "class") return;
    if (std::find(kind.keys.begin(), kind.keys.end(), key) == kind.keys.end() || key.empty()) {
      std::string known;
      for (const std::string_view one : kind.keys)
        known += one.empty() ? "" : " " + std::string(one);
      fail("there is no '" + std::string(key) + "'; use" + known);
    }
    if (key == "name") {
      option_.name = value;
    } else if (key == "socket") {
      option_.socket = value;
    } else if (key == "queues") {
      option_.queues = number<std::uint16_t>(key, value);
    } else if (key == "slots") {
      option_.slots = number<std::uint32_t>(key, value);
    } else if (key == "pages") {
      option_.pages = number<std::uint32_t>(key, value);
    } else {
      add_taps(key, value);
    }
  }

  void add_taps(std::string_view key, std::string_view list) {
    while (true) {
      const std::size_t plus = list.find('+');
      option_.taps.push_back(number<int>(key, list.substr(0, plus)));
      if (plus == std::string_view::npos) return;
      list.remove_prefix(plus + 1);
    }
  }

  [[nodiscard]] const std::vector<int>& taps() const { return option_.taps; }

  [[nodiscard]] bool sensible() const {
    if (option_.device_class == Class::Block) return option_.geometry().valid();
    const bool slots = option_.slots >= net::kMinSlots && option_.slots <= RingShape::kMaxSlots &&
                       (option_.slots & (option_.slots - 1)) == 0;
    return slots && option_.queues >= 1 && option_.queues <= net::kMaxPairs &&
           option_.geometry().valid();
  }

  std::string_view text_;
  DeviceOption option_;
};

}  // namespace

Geometry DeviceOption::geometry() const noexcept {
  if (device_class == Class::Block) {
    return {.pages = pages, .rings = queues, .slot_bytes = block::kSlotBytes, .slots = slots};
  }
  return net::port_geometry(queues, slots);
}

DeviceOption parse_device_option(std::string_view text) {
  return Parser(text).parse();
}

}  // namespace cede::frontend
