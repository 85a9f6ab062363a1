// SPDX-License-Identifier: Apache-2.0
#include "driver_vm/block/gpt.h"

#include <algorithm>
#include <array>
#include <bit>
#include <boost/crc.hpp>
#include <cstring>
#include <optional>

namespace cede::driver {
namespace {

static_assert(std::endian::native == std::endian::little, "the table is little-endian");

struct Header {
  char signature[8];
  std::uint32_t revision;
  std::uint32_t header_bytes;
  std::uint32_t header_crc;
  std::uint32_t reserved;
  std::uint64_t own_block;
  std::uint64_t other_block;
  std::uint64_t first_usable;
  std::uint64_t last_usable;
  std::uint8_t disk_guid[16];
  std::uint64_t entries_block;
  std::uint32_t entry_count;
  std::uint32_t entry_bytes;
  std::uint32_t entries_crc;
  std::uint32_t padding;
};
constexpr std::size_t kHeaderBytes = 92;
static_assert(offsetof(Header, entries_crc) + sizeof(std::uint32_t) == kHeaderBytes);

struct Entry {
  std::array<std::uint8_t, 16> type;
  std::uint8_t guid[16];
  std::uint64_t first;
  std::uint64_t last;  // inclusive
  std::uint64_t attributes;
  std::array<std::uint16_t, 36> name;
};
static_assert(sizeof(Entry) == 128);

constexpr char kSignature[] = "EFI PART";
constexpr std::uint32_t kMaxEntries = 1024;
constexpr std::uint32_t kMaxEntryBytes = 4096;

[[nodiscard]] std::uint32_t crc32(std::span<const std::byte> bytes) {
  boost::crc_32_type crc;
  crc.process_bytes(bytes.data(), bytes.size());
  return crc.checksum();
}

void append_utf8(std::string& text, std::uint32_t code) {
  const auto put = [&text](std::uint32_t byte) { text.push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | (code >> 6));
    put(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(0xE0 | (code >> 12));
    put(0x80 | ((code >> 6) & 0x3F));
    put(0x80 | (code & 0x3F));
  } else {
    put(0xF0 | (code >> 18));
    put(0x80 | ((code >> 12) & 0x3F));
    put(0x80 | ((code >> 6) & 0x3F));
    put(0x80 | (code & 0x3F));
  }
}

[[nodiscard]] std::string to_utf8(std::span<const std::uint16_t> units) {
  constexpr std::uint32_t kReplacement = 0xFFFD;
  const auto is_high = [](std::uint32_t unit) { return unit >= 0xD800 && unit < 0xDC00; };
  const auto is_low = [](std::uint32_t unit) { return unit >= 0xDC00 && unit < 0xE000; };
  std::string text;
  for (std::size_t i = 0; i < units.size() && units[i] != 0; ++i) {
    const std::uint32_t unit = units[i];
    if (is_high(unit) && i + 1 < units.size() && is_low(units[i + 1])) {
      append_utf8(text, 0x10000 + ((unit - 0xD800) << 10) + (units[++i] - 0xDC00U));
    } else {
      append_utf8(text, is_high(unit) || is_low(unit) ? kReplacement : unit);
    }
  }
  return text;
}

struct DiskShape {
  std::uint64_t blocks;
  std::uint32_t block_bytes;
};

// The header in that block, if its own checksum and bounds hold.
[[nodiscard]] std::optional<Header> read_header(const DiskReader& read, DiskShape disk,
                                                std::uint64_t block) {
  std::vector<std::byte> bytes(disk.block_bytes);
  if (!read(block * disk.block_bytes, bytes)) return std::nullopt;
  Header header{};
  std::memcpy(&header, bytes.data(), kHeaderBytes);
  if (std::memcmp(header.signature, kSignature, sizeof header.signature) != 0) return std::nullopt;
  if (header.header_bytes < kHeaderBytes || header.header_bytes > disk.block_bytes) {
    return std::nullopt;
  }
  std::memset(bytes.data() + offsetof(Header, header_crc), 0, sizeof header.header_crc);
  if (crc32(std::span(bytes).first(header.header_bytes)) != header.header_crc) return std::nullopt;
  const bool entries_sane = header.entry_count != 0 && header.entry_count <= kMaxEntries &&
                            header.entry_bytes >= sizeof(Entry) &&
                            header.entry_bytes <= kMaxEntryBytes && header.entry_bytes % 8 == 0;
  const bool blocks_sane = header.own_block == block && header.entries_block < disk.blocks &&
                           header.first_usable <= header.last_usable &&
                           header.last_usable < disk.blocks;
  if (!entries_sane || !blocks_sane) return std::nullopt;
  return header;
}

[[nodiscard]] std::optional<std::vector<GptPartition>> read_entries(const DiskReader& read,
                                                                    DiskShape disk,
                                                                    const Header& header) {
  const std::uint64_t table_bytes = std::uint64_t{header.entry_count} * header.entry_bytes;
  if (table_bytes > (disk.blocks - header.entries_block) * disk.block_bytes) return std::nullopt;
  std::vector<std::byte> table(table_bytes);
  if (!read(header.entries_block * disk.block_bytes, table)) return std::nullopt;
  if (crc32(table) != header.entries_crc) return std::nullopt;
  std::vector<GptPartition> partitions;
  for (std::uint32_t i = 0; i < header.entry_count; ++i) {
    Entry entry;
    std::memcpy(&entry, table.data() + std::size_t{i} * header.entry_bytes, sizeof entry);
    if (std::ranges::all_of(entry.type, [](std::uint8_t byte) { return byte == 0; })) continue;
    if (entry.first < header.first_usable || entry.last > header.last_usable ||
        entry.first > entry.last) {
      return std::nullopt;
    }
    partitions.push_back({.name = to_utf8(entry.name),
                          .offset = entry.first * disk.block_bytes,
                          .length = (entry.last - entry.first + 1) * disk.block_bytes});
  }
  return partitions;
}

}  // namespace

Result<std::vector<GptPartition>> read_gpt(const DiskReader& read, std::uint64_t disk_bytes,
                                           std::uint32_t logical_block) {
  const DiskShape disk{.blocks = disk_bytes / logical_block, .block_bytes = logical_block};
  if (disk.blocks < 3) return Status::Invalid;
  for (const std::uint64_t block : {std::uint64_t{1}, disk.blocks - 1}) {
    const std::optional<Header> header = read_header(read, disk, block);
    if (!header) continue;
    if (auto partitions = read_entries(read, disk, *header)) return *std::move(partitions);
  }
  return Status::Invalid;
}

}  // namespace cede::driver
