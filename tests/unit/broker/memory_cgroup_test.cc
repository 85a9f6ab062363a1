// SPDX-License-Identifier: Apache-2.0
// What the kernel writes into memory.stat, and what the broker concludes from it. The directory
// trees are recorded; tests labelled root use the kernel's own.
#include "vmm/broker/memory_cgroup.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace cede::broker {
namespace {

namespace fs = std::filesystem;

// Linux 6.18, cgroup v1, a leaf; shortened.
constexpr std::string_view kV1 =
    "cache 262144\nrss 0\nrss_huge 0\nshmem 262144\nmapped_file 0\ndirty 0\nwriteback 0\n"
    "workingset_refault_anon 0\nswap 8192\nswapcached 0\npgpgin 64\ninactive_anon 4096\n"
    "active_anon 253952\ninactive_file 0\nactive_file 0\nunevictable 4096\n"
    "hierarchical_memory_limit 9223372036854771712\ntotal_cache 262144\ntotal_shmem 999999\n"
    "total_inactive_anon 999999\ntotal_unevictable 999999\n";

// Linux 6.1, cgroup v2; shortened.
constexpr std::string_view kV2 =
    "anon 4096\nfile 131072\nkernel 16384\nkernel_stack 0\npagetables 0\nsock 0\nvmalloc 0\n"
    "shmem 131072\nzswap 0\nfile_mapped 0\nswapcached 0\nanon_thp 0\nshmem_thp 0\n"
    "inactive_anon 131072\nactive_anon 0\ninactive_file 0\nactive_file 0\nunevictable 0\n"
    "slab_reclaimable 0\n";

std::optional<Charge> parse(std::string_view text) {
  std::istringstream stream{std::string(text)};
  return parse_memory_stat(stream);
}

std::string with(std::string_view text, std::string_view from, std::string_view to) {
  std::string changed(text);
  const std::size_t at = changed.find(from);
  EXPECT_NE(at, std::string::npos);
  return changed.replace(at, from.size(), to);
}

TEST(MemoryStat, ReadsVersion1) {
  const auto charge = parse(kV1);
  ASSERT_TRUE(charge.has_value());
  EXPECT_EQ(charge->shmem, 262144U);
  EXPECT_EQ(charge->listed, 4096U + 253952U + 4096U);
  EXPECT_EQ(charge->swapped, 8192U);
}

TEST(MemoryStat, ReadsVersion2) {
  const auto charge = parse(kV2);
  ASSERT_TRUE(charge.has_value());
  EXPECT_EQ(charge->shmem, 131072U);
  EXPECT_EQ(charge->listed, 131072U);
  EXPECT_EQ(charge->swapped, 0U);
}

TEST(MemoryStat, ProvesNothingWithoutEveryFigure) {
  EXPECT_FALSE(parse(""));
  EXPECT_FALSE(parse("shmem 0\n"));
  for (const char* name : {"\nshmem ", "\ninactive_anon ", "\nactive_anon ", "\nunevictable "}) {
    SCOPED_TRACE(name);
    EXPECT_FALSE(parse(with(kV2, name, "\nsomething ")));
    EXPECT_FALSE(parse(with(kV2, name, std::string(name) + "x")));
    EXPECT_FALSE(parse(with(kV2, name, std::string(name) + "99999999999999999999")));
  }
  EXPECT_FALSE(parse(std::string(kV2.substr(0, kV2.find("inactive_file")))));
}

TEST(MemoryStat, NothingIsLeftOnlyWhenNoFigureShowsAnything) {
  EXPECT_TRUE((Charge{0, 0, 0}.none()));
  EXPECT_FALSE((Charge{4096, 0, 0}.none()));
  EXPECT_FALSE((Charge{0, 4096, 0}.none()));
  EXPECT_FALSE((Charge{0, 0, 4096}.none()));
  EXPECT_TRUE((Charge{4096, 0, 4096}.covers(8192)));
  EXPECT_FALSE((Charge{4096, 8192, 0}.covers(8192)));
}

class CgroupTree : public testing::Test {
 protected:
  CgroupTree() {
    std::string path = fs::temp_directory_path() / "cede-cgroup-XXXXXX";
    dir_ = ::mkdtemp(path.data());
  }
  ~CgroupTree() override { fs::remove_all(dir_); }

  void write(const std::string& name, std::string_view text) {
    fs::create_directories((dir_ / name).parent_path());
    std::ofstream(dir_ / name) << text;
  }
  [[nodiscard]] std::string read(const std::string& name) {
    std::ifstream file(dir_ / name);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  fs::path dir_;
};

TEST_F(CgroupTree, RefusesWhatIsNoMemoryController) {
  EXPECT_EQ(MemoryCgroup::open(dir_).status(), Status::NotSupported);
  EXPECT_EQ(MemoryCgroup::open(dir_ / "missing").status(), Status::NotSupported);
  write("cgroup.controllers", "cpuset cpu io pids\n");
  EXPECT_EQ(MemoryCgroup::open(dir_).status(), Status::NotSupported);
}

TEST_F(CgroupTree, Version2EnablesTheControllerOnEveryInnerLevelAndNoLeaf) {
  write("cgroup.controllers", "cpu memory pids\n");
  auto cgroup = MemoryCgroup::open(dir_);
  ASSERT_TRUE(cgroup);
  ASSERT_EQ(cgroup->add_domain({1, 1}), Status::Ok);
  ASSERT_EQ(cgroup->add_session(cgroup->of_session({1, 1}, {2, 3})), Status::Ok);
  EXPECT_EQ(read("cgroup.subtree_control"), "+memory");
  EXPECT_EQ(read("1-1/cgroup.subtree_control"), "+memory");
  EXPECT_TRUE(fs::is_empty(dir_ / "1-1/run"));
  EXPECT_EQ(read("1-1/session-2-3/memory.swap.max"), "0");
  EXPECT_FALSE(fs::exists(dir_ / "1-1/session-2-3/cgroup.subtree_control"));
}

TEST_F(CgroupTree, Version1NeedsNothingEnabled) {
  write("memory.usage_in_bytes", "0\n");
  auto cgroup = MemoryCgroup::open(dir_);
  ASSERT_TRUE(cgroup);
  ASSERT_EQ(cgroup->add_domain({1, 1}), Status::Ok);
  EXPECT_FALSE(fs::exists(dir_ / "1-1/cgroup.subtree_control"));
}

TEST_F(CgroupTree, Version2AddsSwapOutOfItsOwnFile) {
  write("cgroup.controllers", "memory\n");
  const auto cgroup = MemoryCgroup::open(dir_);
  ASSERT_TRUE(cgroup);
  const std::string session = cgroup->of_session({3, 1}, {5, 2});
  EXPECT_EQ(session, (dir_ / "3-1/session-5-2").string());
  EXPECT_FALSE(cgroup->charge(session));
  write("3-1/session-5-2/memory.stat", kV2);
  EXPECT_EQ(cgroup->charge(session)->swapped, 0U);
  write("3-1/session-5-2/memory.swap.current", "12288\n");
  EXPECT_EQ(cgroup->charge(session)->swapped, 12288U);
  write("3-1/session-5-2/memory.swap.current", "much\n");
  EXPECT_FALSE(cgroup->charge(session));
}

TEST_F(CgroupTree, ACounterAtZeroProvesMoreThanStatisticsThatAreLate) {
  struct Version {
    const char* name;
    const char* mark;  // makes it this version
    std::string_view stat;
    const char* counter;
  };
  for (const auto& [name, mark, stat, counter] :
       {Version{"1", "memory.usage_in_bytes", kV1, "memory.memsw.usage_in_bytes"},
        Version{"2", "cgroup.controllers", kV2, "memory.current"}}) {
    SCOPED_TRACE(name);
    const auto file = [&](const char* part) { return std::string(name) + "/" + part; };
    write(file(mark), "memory\n");
    const auto cgroup = MemoryCgroup::open(dir_ / name);
    ASSERT_TRUE(cgroup);
    const std::string session = cgroup->of_session({3, 1}, {5, 2});
    const auto write_in_session = [&](const char* part, std::string_view text) {
      write(fs::relative(session, dir_) / part, text);
    };
    write_in_session("memory.stat", stat);
    EXPECT_FALSE(cgroup->charge(session)->none()) << "no such counter";
    write_in_session(counter, "4096\n");
    EXPECT_FALSE(cgroup->charge(session)->none());
    write_in_session(counter, "0\n");
    EXPECT_TRUE(cgroup->charge(session)->none());
    write_in_session("memory.swap.current", "4096\n");
    EXPECT_FALSE(cgroup->charge(session)->none()) << "what is on swap is held, too";
  }
}

TEST_F(CgroupTree, RemovesLaterWhatCannotBeRemovedNow) {
  write("memory.usage_in_bytes", "0\n");
  auto cgroup = MemoryCgroup::open(dir_);
  ASSERT_TRUE(cgroup);
  ASSERT_EQ(cgroup->add_domain({1, 1}), Status::Ok);
  EXPECT_EQ(cgroup->add_domain({1, 1}), Status::IoError);
  const std::string session = cgroup->of_session({1, 1}, {0, 1});
  ASSERT_EQ(cgroup->add_session(session), Status::Ok);
  write("1-1/run/busy", "");
  cgroup->discard_domain({1, 1});
  EXPECT_FALSE(cgroup->swept());
  EXPECT_TRUE(fs::exists(dir_ / "1-1/run"));
  fs::remove(dir_ / "1-1/run/busy");
  cgroup->discard(session);
  EXPECT_FALSE(cgroup->swept()) << "made of plain files, which no rmdir removes";
  fs::remove_all(session);
  cgroup->sweep();
  EXPECT_TRUE(cgroup->swept());
  EXPECT_FALSE(fs::exists(dir_ / "1-1"));
}

}  // namespace
}  // namespace cede::broker
