// SPDX-License-Identifier: Apache-2.0
// cede-driver: one disk, many clients' volumes, in a sandbox. The disk, the capability socket and
// the page for its counters are inherited from whoever starts it; in a driver VM, it opens the
// devices that stand for the socket.
#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "driver_vm/block/block_service.h"
#include "driver_vm/block/disk.h"
#include "driver_vm/block/disk_facts.h"
#include "driver_vm/block/export_spec.h"
#include "driver_vm/block/volume.h"
#include "driver_vm/engine/event_loop.h"
#include "driver_vm/program.h"
#include "driver_vm/setup_error.h"
#include "protocols/posix/start_up.h"

namespace cede::driver {
namespace {

struct Options : ProgramOptions {
  int disk_fd = -1;
  std::string disk_name = "(unnamed)";
  std::vector<std::string> exports;
  BlockSizes blocks;
};

void add_options(CLI::App& app, Options& options) {
  app.add_option("--disk-fd", options.disk_fd,
                 "image file or block device (inherited descriptor, read-write or read-only)")
      ->required();
  app.add_option("--disk-name", options.disk_name, "what messages call the disk");
  app.add_option("--export", options.exports,
                 "device=N,name=TEXT,{offset=BYTES,length=BYTES|partition=GPTNAME}"
                 "[,read_only][,weight=1..100][,iops=N][,bps=N][,serial=TEXT]")
      ->required()
      ->take_all()
      ->allow_extra_args(false);
  app.add_option("--logical-block", options.blocks.logical, "bytes; by default the disk's own");
  app.add_option("--physical-block", options.blocks.physical, "bytes; by default the disk's own");
}

// Reads the partition table, before the disk belongs to the event loop. Place, length and memory of
// each access are aligned for a disk that was opened with O_DIRECT.
[[nodiscard]] DiskReader reader_of(int fd) {
  constexpr std::size_t kAlignment = 4096;
  struct alignas(kAlignment) Buffer {
    std::byte bytes[16 * kAlignment];
  };
  return
      [fd, buffer = std::make_shared<Buffer>()](std::uint64_t offset, std::span<std::byte> into) {
        while (!into.empty()) {
          const std::size_t skip = offset % kAlignment;
          const ssize_t got =
              ::pread(fd, buffer->bytes, sizeof buffer->bytes, static_cast<off_t>(offset - skip));
          if (got <= static_cast<ssize_t>(skip)) return false;
          const std::size_t fresh = std::min(static_cast<std::size_t>(got) - skip, into.size());
          std::copy_n(buffer->bytes + skip, fresh, into.begin());
          offset += fresh;
          into = into.subspan(fresh);
        }
        return true;
      };
}

// What was written and answered, but not flushed, must not be lost by a crash of this program: its
// clients live on, and find the same volumes behind another. On a host, the page cache outlives the
// program. In a driver VM it dies with it, so nothing may be in it.
void bypass_page_cache(int fd, const std::string& name) {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_DIRECT) != 0) {
    throw SetupError("disk " + name + ": has no direct I/O, which a driver VM needs");
  }
}

// The inline engine, and the last word to the medium.
[[nodiscard]] DeviceCalls disk_calls() {
  return {.calls = {SCMP_SYS(pread64), SCMP_SYS(pwrite64), SCMP_SYS(fdatasync)},
          .with_argument = {}};
}

int serve(const Options& options) {
  Inheritance inheritance(options);
  const Fd disk_fd = inherited(options.disk_fd, "--disk-fd");
  if (options.driver_vm) bypass_page_cache(disk_fd.get(), options.disk_name);
  std::vector<ExportSpec> specs;
  for (const std::string& text : options.exports) specs.push_back(parse_export(text));
  const DiskFacts facts = inspect_disk(disk_fd.get(), options.disk_name, options.blocks);
  std::vector<Volume> volumes =
      make_volumes(specs, facts, options.disk_name, reader_of(disk_fd.get()));

  EventLoop loop;
  const std::unique_ptr<Disk> disk =
      open_disk(disk_fd.get(), facts, loop, BlockService::kWindow,
                options.driver_vm ? RequestMemory::NotPinned : RequestMemory::Pinned);
  spdlog::info("disk {}: {} bytes, blocks of {}/{}, {} engine, {} volume(s)", options.disk_name,
               facts.bytes, facts.logical_block, facts.physical_block,
               facts.in_memory ? "inline" : "io_uring", volumes.size());
  BlockService service(*disk, std::move(volumes));
  return serve_sessions(options, inheritance, loop, service, disk_calls(), disk_operations());
}

}  // namespace
}  // namespace cede::driver

int main(int argc, char** argv) {
  cede::driver::Options options;
  return cede::driver::run_program(
      "cede-driver", "Cede's block driver domain", argc, argv, options,
      [&](CLI::App& app) { cede::driver::add_options(app, options); },
      [&] { return cede::driver::serve(options); });
}
