// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <string>

namespace cede::test {

// A directory of the memory controller for one test, made below the test's own; removed at its end.
class TestCgroup {
 public:
  // Empty path: there is no memory controller that this test may use.
  TestCgroup() {
    static int count = 0;
    for (const char* mount : {"/sys/fs/cgroup/memory", "/sys/fs/cgroup"}) {
      const std::string dir = std::string(mount) + "/cede-test-" + std::to_string(::getpid()) +
                              "-" + std::to_string(++count);
      if (::mkdir(dir.c_str(), 0755) != 0) continue;
      const bool has_memory = ::access((dir + "/memory.stat").c_str(), R_OK) == 0;
      if (has_memory) {
        path_ = dir;
        return;
      }
      ::rmdir(dir.c_str());
    }
  }
  TestCgroup(const TestCgroup&) = delete;
  TestCgroup& operator=(const TestCgroup&) = delete;
  ~TestCgroup() {
    if (!path_.empty()) ::rmdir(path_.c_str());
  }

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace cede::test
