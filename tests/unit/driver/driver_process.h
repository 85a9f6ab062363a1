// SPDX-License-Identifier: Apache-2.0
// The real cede-driver on a real image.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/driver_program.h"
#include "tests/support/session_parts.h"
#include "tests/unit/driver/test_client.h"

namespace cede::test {

// A temporary image, gone with the test.
class Image {
 public:
  Image(const std::filesystem::path& folder, std::uint64_t bytes) {
    path_ = (folder / "cede-driver-test-XXXXXX").string();
    fd_ = checked(::mkstemp(path_.data()));
    if (::ftruncate(fd_.get(), static_cast<off_t>(bytes)) != 0) {
      throw std::runtime_error("cannot size the test image");
    }
  }
  Image(const Image&) = delete;
  Image& operator=(const Image&) = delete;
  ~Image() { ::unlink(path_.c_str()); }

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] std::vector<std::byte> read(std::uint64_t offset, std::size_t length) const {
    std::vector<std::byte> bytes(length);
    if (::pread(fd_.get(), bytes.data(), length, static_cast<off_t>(offset)) !=
        static_cast<ssize_t>(length)) {
      throw std::runtime_error("cannot read the test image");
    }
    return bytes;
  }
  void write(std::uint64_t offset, std::span<const std::byte> bytes) const {
    if (::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset)) !=
        static_cast<ssize_t>(bytes.size())) {
      throw std::runtime_error("cannot write the test image");
    }
  }

 private:
  std::string path_;
  Fd fd_;
};

inline constexpr Geometry kSmall{
    .pages = 64, .rings = 1, .slot_bytes = block::kSlotBytes, .slots = 32};

class DriverProcess : public DriverProgram {
 public:
  // Exports as on the command line; a disk opened with `open_flags`.
  DriverProcess(const std::string& image, const std::vector<std::string>& exports,
                const std::vector<std::string>& options = {}, int open_flags = O_RDWR)
      : DriverProcess(checked(::open(image.c_str(), open_flags | O_CLOEXEC)), exports, options) {}

  // A session that the driver has mapped; not connected yet.
  struct Offered {
    Handle session;
    block::Info info;
    SessionParts parts;
  };
  struct Connected {
    Handle session;
    block::Info info;
    std::unique_ptr<TestClient> client;
  };
  Connected connect(std::uint32_t device, const Geometry& geometry = kSmall) {
    SessionParts parts = make_session_parts(geometry);
    Connected connected{.session = new_session(), .info = {}, .client = nullptr};
    offer(connected.session, device, parts);
    const Message mapped = expect(MessageType::Mapped, connected.session);
    std::memcpy(&connected.info, mapped.info.bytes, sizeof connected.info);
    connected.client = std::make_unique<TestClient>(geometry, std::move(parts.client));
    send(MessageType::Connected, connected.session);
    return connected;
  }

 private:
  DriverProcess(const Fd& disk, const std::vector<std::string>& exports,
                const std::vector<std::string>& options)
      : DriverProgram(CEDE_DRIVER_PROGRAM, command(disk, exports, options),
                      std::array{disk.get()}) {}

  static std::vector<std::string> command(const Fd& disk, const std::vector<std::string>& exports,
                                          const std::vector<std::string>& options) {
    std::vector<std::string> words = {"--disk-fd", std::to_string(disk.get()), "--disk-name",
                                      "test.img"};
    for (const std::string& text : exports) words.insert(words.end(), {"--export", text});
    words.insert(words.end(), options.begin(), options.end());
    return words;
  }
};

}  // namespace cede::test
