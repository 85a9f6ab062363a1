// SPDX-License-Identifier: Apache-2.0
// A region by itself: how it is made, and what the final seals find.
#include "vmm/broker/region.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "protocols/posix/mapping.h"

namespace cede::broker {
namespace {

constexpr std::uint64_t kBytes = 64 * 4096;

Status populate(int region, std::uint64_t bytes) {
  const Result<Fd> child = start_populating(region, bytes, "");
  if (!child) return child.status();
  pollfd ended{child->get(), POLLIN, 0};
  EXPECT_EQ(::poll(&ended, 1, 20000), 1);
  return finish_populating(child->get());
}

std::uint64_t blocks(int region) {
  struct stat status {};
  EXPECT_EQ(::fstat(region, &status), 0);
  return static_cast<std::uint64_t>(status.st_blocks) * 512;
}

class RegionTest : public testing::Test {
 protected:
  void SetUp() override {
    Result<Fd> made = make_region(kBytes);
    ASSERT_TRUE(made);
    region_ = std::move(*made);
    ASSERT_EQ(populate(region_.get(), kBytes), Status::Ok);
  }
  [[nodiscard]] int fd() const { return region_.get(); }

  Fd region_;
};

TEST_F(RegionTest, HasEveryPageAndAFixedSize) {
  EXPECT_EQ(blocks(fd()), kBytes);
  EXPECT_EQ(::ftruncate(fd(), 0), -1);
  EXPECT_EQ(errno, EPERM);
  EXPECT_EQ(::ftruncate(fd(), 2 * kBytes), -1);
  EXPECT_EQ(errno, EPERM);
}

TEST_F(RegionTest, IsNotExecutableNorCanBeMadeSoWhereTheKernelKnowsHow) {
  constexpr int kExecSeal = 0x20;                             // F_SEAL_EXEC, since Linux 6.3
  const Fd known(::memfd_create("probe", MFD_CLOEXEC | 8U));  // MFD_NOEXEC_SEAL
  EXPECT_EQ((::fcntl(fd(), F_GET_SEALS) & kExecSeal) != 0, static_cast<bool>(known));
  EXPECT_EQ(::fchmod(fd(), 0777), known ? -1 : 0);
}

TEST_F(RegionTest, OfTwoPagesHasThemBoth) {
  Result<Fd> tiny = make_region(8192);
  ASSERT_TRUE(tiny);
  EXPECT_EQ(populate(tiny->get(), 8192), Status::Ok);
  EXPECT_EQ(blocks(tiny->get()), 8192U);
}

TEST_F(RegionTest, IsSealedForGood) {
  ASSERT_EQ(seal_region(fd(), kBytes), Status::Ok);
  EXPECT_EQ(seal_region(fd(), kBytes), Status::Ok);
  EXPECT_FALSE(Mapping::map(fd(), kBytes));
  EXPECT_EQ(::fallocate(fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), -1);
  EXPECT_EQ(errno, EPERM);
}

TEST_F(RegionTest, WithAHoleIsBroken) {
  ASSERT_EQ(::fallocate(fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096, 4096), 0);
  EXPECT_EQ(seal_region(fd(), kBytes), Status::Broken);
}

TEST_F(RegionTest, OfAnotherSizeIsBroken) {
  EXPECT_EQ(seal_region(fd(), kBytes / 2), Status::Broken);
}

TEST_F(RegionTest, SealedByThePeerAsItHasToBeIsAsGood) {
  ASSERT_EQ(::fcntl(fd(), F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_SEAL), 0);
  EXPECT_EQ(seal_region(fd(), kBytes), Status::Ok);
}

TEST_F(RegionTest, SealedByThePeerAgainstOurSealsIsBroken) {
  ASSERT_EQ(::fcntl(fd(), F_ADD_SEALS, F_SEAL_SEAL), 0);
  EXPECT_EQ(seal_region(fd(), kBytes), Status::Broken);
}

TEST(Populating, ReportsACgroupThatIsNone) {
  const Result<Fd> region = make_region(kBytes);
  ASSERT_TRUE(region);
  EXPECT_EQ(start_populating(region->get(), kBytes, "/proc/self").status(), Status::IoError);
}

TEST(Populating, ThatIsStoppedIsNoMemory) {
  constexpr std::uint64_t kLarge = std::uint64_t{1} << 30;
  const Result<Fd> region = make_region(kLarge);
  ASSERT_TRUE(region);
  const Result<Fd> child = start_populating(region->get(), kLarge, "");
  ASSERT_TRUE(child);
  stop_populating(child->get());
  EXPECT_EQ(finish_populating(child->get()), Status::NoMemory);
}

TEST(Populating, DoesNotHoldTheBrokersDescriptors) {
  int pipe[2];
  ASSERT_EQ(::pipe2(pipe, O_CLOEXEC), 0);
  const Fd reader(pipe[0]);
  Fd writer(pipe[1]);
  constexpr std::uint64_t kLarge = std::uint64_t{1} << 30;
  const Result<Fd> region = make_region(kLarge);
  ASSERT_TRUE(region);
  const Result<Fd> child = start_populating(region->get(), kLarge, "");
  ASSERT_TRUE(child);
  writer.reset();
  // The pipe ends while the child still works: it has closed its copy of the other end.
  pollfd ready[2] = {{reader.get(), POLLIN, 0}, {child->get(), POLLIN, 0}};
  EXPECT_GT(::poll(ready, 2, 20000), 0);
  EXPECT_NE(ready[0].revents & POLLHUP, 0);
  stop_populating(child->get());
  (void)finish_populating(child->get());
}

}  // namespace
}  // namespace cede::broker
