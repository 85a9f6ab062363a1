// SPDX-License-Identifier: Apache-2.0
#include "tests/report/runner.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <fstream>
#include <stdexcept>
#include <string_view>
#include <utility>
#include <vector>

#include "protocols/posix/fd.h"
#include "tests/bench/interrupt.h"
#include "vmm/process/process.h"
#include "vmm/supervisor/programs.h"

namespace cede::report {
namespace {

// Shows what a program prints, keeps it in a file, and remembers its last line: where the program
// fails, that says why.
class Listener {
 public:
  explicit Listener(const std::filesystem::path& log) : log_(log) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("cannot make a pipe");
    reader_ = Fd(ends[0]);
    writer_ = Fd(ends[1]);
  }

  [[nodiscard]] int writer() const { return writer_.get(); }
  [[nodiscard]] const std::string& last_line() const { return last_; }

  // Until everybody who could write has ended. An interrupt is passed on to `program`.
  void listen(const Process& program) {
    writer_.reset();
    bool told = false;
    std::array<char, 4096> buffer;
    for (;;) {
      const ssize_t got = ::read(reader_.get(), buffer.data(), buffer.size());
      if (bench::interrupted() && !told) {
        program.signal(SIGTERM);
        told = true;
      }
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return;
      take({buffer.data(), static_cast<std::size_t>(got)});
    }
  }

 private:
  void take(std::string_view text) {
    log_ << text << std::flush;
    fmt::print(stderr, "{}", text);
    for (const char letter : text) {
      const bool ends = letter == '\n' || letter == '\r';
      if (ends && !line_.empty()) last_ = std::exchange(line_, {});
      // Plain text only: the rest is for terminals.
      if (letter >= ' ' && letter <= '~') line_ += letter;
    }
  }

  std::ofstream log_;
  Fd reader_;
  Fd writer_;
  std::string line_;
  std::string last_;
};

std::filesystem::path results_of(const Part& part, const RunOptions& options) {
  return options.directory / fmt::format("{}.json", part.name);
}

std::vector<std::string> command_of(const Part& part, const RunOptions& options) {
  std::vector<std::string> words{supervisor::find_program(part.program, part.build_folder).string(),
                                 std::string(part.command), "--json",
                                 results_of(part, options).string()};
  if (options.quick) words.emplace_back("--quick");
  if (part.images != Part::Images::Useless && !options.images.empty()) {
    words.insert(words.end(), {"--images", options.images.string()});
  }
  return words;
}

// Throws std::runtime_error that says why it failed.
void run_part(const Part& part, const RunOptions& options) {
  if (part.images == Part::Images::Needed && options.images.empty()) {
    throw std::runtime_error("needs --images");
  }
  Listener listener(options.directory / fmt::format("{}.log", part.name));
  Launch launch;
  launch.arguments = command_of(part, options);
  launch.output = listener.writer();
  Process program = Process::start(launch);
  listener.listen(program);
  const std::string end = program.reap();
  if (bench::interrupted()) throw std::runtime_error("interrupted");
  if (end != "exit 0") {
    const std::string& why = listener.last_line();
    throw std::runtime_error(why.empty() ? end : fmt::format("{}: {}", end, why));
  }
}

}  // namespace

void run_parts(std::span<const Part> parts, const RunOptions& options, RunRecord& record) {
  std::filesystem::create_directories(options.directory);
  for (const Part& part : parts) std::filesystem::remove(results_of(part, options));
  for (std::size_t i = 0; i < parts.size(); ++i) {
    fmt::print(stderr, "== {} of {}: {}\n", i + 1, parts.size(), parts[i].title);
    const auto begin = std::chrono::steady_clock::now();
    PartRun& run = record.parts[std::string(parts[i].name)];
    try {
      bench::throw_if_interrupted();
      run_part(parts[i], options);
    } catch (const std::exception& error) {
      run.failure = error.what();
      fmt::print(stderr, "   {}\n", run.failure);
    }
    run.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    write_record(record, options.directory);
  }
}

}  // namespace cede::report
