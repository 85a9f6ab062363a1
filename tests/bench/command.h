// SPDX-License-Identifier: Apache-2.0
// A subcommand of cede-bench, with the options that several of them have. One that was not added
// has its default value.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
}

namespace cede::bench {

class Command {
 public:
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;
  virtual ~Command() = default;

  [[nodiscard]] bool chosen() const;
  // The program's exit status: 0, or 1 where an operation failed; speed is not judged. Throws
  // std::runtime_error.
  [[nodiscard]] virtual int run() const = 0;

 protected:
  // Adds the subcommand to `app`, which has to outlive this, and to parse before anything is asked.
  Command(CLI::App& app, const std::string& name, const std::string& what,
          const std::string& explanation);

  // For options of its own. Help has them all in the order in which they were added.
  [[nodiscard]] CLI::App& options() { return *options_; }

  struct Seconds {
    double least;
    double quick;  // what --quick makes of them
  };
  void add_seconds(const std::string& what, const Seconds& seconds);
  [[nodiscard]] std::chrono::nanoseconds duration() const;

  void add_repetitions(const std::string& what, unsigned normally);
  [[nodiscard]] unsigned repetitions() const { return quick_ ? 1 : repetitions_; }

  // --`what`, which takes parts of names, for matches() and select().
  void add_filters(std::string_view what, std::vector<std::string>& filters);
  // --workload and --system.
  void add_choices();
  [[nodiscard]] const std::vector<std::string>& workloads() const { return workloads_; }
  [[nodiscard]] const std::vector<std::string>& systems() const { return systems_; }

  void add_json();
  // Where it goes, for print_results().
  [[nodiscard]] const std::string& json() const { return json_; }

  void add_quick(const std::string& what);
  [[nodiscard]] bool quick() const { return quick_; }

  // 0 where there are no failures; otherwise 1, and says how many there are of `what`.
  [[nodiscard]] static int exit_status(std::uint64_t failures, std::string_view what);

 private:
  CLI::App* options_;
  double seconds_ = 1;
  double quick_seconds_ = 1;
  unsigned repetitions_ = 1;
  std::vector<std::string> workloads_;
  std::vector<std::string> systems_;
  std::string json_;
  bool quick_ = false;
};

}  // namespace cede::bench
