// SPDX-License-Identifier: Apache-2.0
// cede-driver: one disk, many clients' volumes, in a sandbox. Opens nothing itself: the disk, the
// capability socket and the page for its counters are inherited from whoever starts it.
#include <fcntl.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "driver_vm/block/block_service.h"
#include "driver_vm/block/disk.h"
#include "driver_vm/block/disk_facts.h"
#include "driver_vm/block/export_spec.h"
#include "driver_vm/block/volume.h"
#include "driver_vm/engine/event_loop.h"
#include "driver_vm/sandbox.h"
#include "driver_vm/session_host/session_host.h"
#include "driver_vm/session_host/stats_page.h"
#include "driver_vm/session_host/worker.h"
#include "driver_vm/setup_error.h"

namespace cede::driver {
namespace {

struct Options {
  int capability_fd = -1;
  int disk_fd = -1;
  std::string disk_name = "(unnamed)";
  std::vector<std::string> exports;
  int stats_fd = -1;
  BlockSizes blocks;
  Identity identity;
  bool no_sandbox = false;
  std::string log_level = "info";
};

void add_options(CLI::App& app, Options& options) {
  app.option_defaults()->take_last();
  app.add_option("--capability", options.capability_fd,
                 "capability socket to the broker (inherited descriptor)")
      ->required();
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
  app.add_option("--stats-fd", options.stats_fd, "memfd for the counters (inherited descriptor)");
  app.add_option("--logical-block", options.blocks.logical, "bytes; by default the disk's own");
  app.add_option("--physical-block", options.blocks.physical, "bytes; by default the disk's own");
  CLI::Option* uid = app.add_option("--uid", options.identity.uid, "become this user (needs root)");
  CLI::Option* gid = app.add_option("--gid", options.identity.gid, "and this group");
  uid->needs(gid);
  gid->needs(uid);
  app.add_flag("--no-sandbox", options.no_sandbox, "keep all privileges: for debugging only");
  app.add_option("--log-level", options.log_level)
      ->check(CLI::IsMember({"trace", "debug", "info", "warn", "error", "off"}));
}

[[nodiscard]] Fd inherited(int raw, const char* option) {
  if (::fcntl(raw, F_SETFD, FD_CLOEXEC) != 0) {
    throw SetupError(std::string(option) + " " + std::to_string(raw) + ": no such descriptor");
  }
  return Fd(raw);
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

// SIGTERM and SIGINT become readable here; SIGPIPE and SIGXFSZ become errors where they arise.
[[nodiscard]] Fd stop_signals() {
  (void)std::signal(SIGPIPE, SIG_IGN);
  (void)std::signal(SIGXFSZ, SIG_IGN);
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  sigaddset(&stop, SIGINT);
  ::pthread_sigmask(SIG_BLOCK, &stop, nullptr);
  return Fd(::signalfd(-1, &stop, SFD_CLOEXEC | SFD_NONBLOCK));
}

// Regions are pinned; what the client gave must not be limited by what this process may lock.
void raise_memory_lock_limit() {
  const rlimit unlimited{RLIM_INFINITY, RLIM_INFINITY};
  if (::geteuid() == 0) (void)::setrlimit(RLIMIT_MEMLOCK, &unlimited);
}

int serve(const Options& options) {
  Fd capability = inherited(options.capability_fd, "--capability");
  const Fd disk_fd = inherited(options.disk_fd, "--disk-fd");
  std::vector<ExportSpec> specs;
  for (const std::string& text : options.exports) specs.push_back(parse_export(text));
  const DiskFacts facts = inspect_disk(disk_fd.get(), options.disk_name, options.blocks);
  std::vector<Volume> volumes =
      make_volumes(specs, facts, options.disk_name, reader_of(disk_fd.get()));
  const MappedStats stats =
      options.stats_fd < 0 ? MappedStats() : MappedStats(inherited(options.stats_fd, "--stats-fd"));
  const Fd stop = stop_signals();
  raise_memory_lock_limit();

  EventLoop loop;
  const std::unique_ptr<Disk> disk = open_disk(disk_fd.get(), facts, loop, BlockService::kWindow);
  spdlog::info("disk {}: {} bytes, blocks of {}/{}, {} engine, {} volume(s)", options.disk_name,
               facts.bytes, facts.logical_block, facts.physical_block,
               facts.in_memory ? "inline" : "io_uring", volumes.size());
  BlockService service(*disk, std::move(volumes));
  SessionHost host(std::move(capability), loop, service, stats.page());
  Worker worker(loop, host, service, stop.get());

  if (options.no_sandbox) {
    spdlog::warn("--no-sandbox: running with all privileges, for debugging only");
  } else {
    enter_sandbox(options.identity);
  }
  loop.start(disk_operations());
  return worker.run() ? 0 : 1;
}

int run(int argc, char** argv) {
  Options options;
  CLI::App app("Cede's block driver domain");
  add_options(app, options);
  CLI11_PARSE(app, argc, argv);
  spdlog::set_default_logger(spdlog::stderr_logger_st("cede-driver"));
  spdlog::set_pattern("%n: %l: %v");
  spdlog::set_level(spdlog::level::from_str(options.log_level));
  return serve(options);
}

}  // namespace
}  // namespace cede::driver

int main(int argc, char** argv) {
  try {
    return cede::driver::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "cede-driver: error: %s\n", error.what());
    return 1;
  }
}
