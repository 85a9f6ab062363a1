// SPDX-License-Identifier: Apache-2.0
// The same system, and the same attack on it, under each policy.
#include <fcntl.h>

#include <cerrno>
#include <optional>

#include "protocols/posix/fd.h"
#include "tests/support/pattern.h"
#include "tests/unit/supervisor/guest.h"
#include "tests/unit/supervisor/system_fixture.h"

namespace cede::supervisor {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;

struct Expected {
  const char* policy;
  bool for_measurements;
  bool driver_pays;
  bool client_can_take_back;
};

void PrintTo(const Expected& expected, std::ostream* out) {
  *out << expected.policy;
}

// The region of a client's frontend, as the client itself has it.
Fd open_region(pid_t frontend) {
  std::ifstream maps(fmt::format("/proc/{}/maps", frontend));
  for (std::string line; std::getline(maps, line);) {
    if (line.find("memfd:cede-region") == std::string::npos) continue;
    const std::string range = line.substr(0, line.find(' '));
    return Fd(
        ::open(fmt::format("/proc/{}/map_files/{}", frontend, range).c_str(), O_RDWR | O_CLOEXEC));
  }
  return {};
}

class PolicyTest : public SystemTest, public testing::WithParamInterface<Expected> {
 protected:
  void SetUp() override {
    describe({.system = fmt::format("policy = \"{}\"", GetParam().policy)});
    const Outcome outcome = cede("up " + description_.string());
    ASSERT_EQ(outcome.code, 0) << outcome.text << logs();
    remember_processes();
    EXPECT_EQ(outcome.text.find("for measurements only") != std::string::npos,
              GetParam().for_measurements)
        << outcome.text;
  }

  static void expect_round_trip(Guest& guest, std::uint32_t seed) {
    const auto bytes = test::pattern(65536, seed);
    guest.write(kMiB, bytes);
    EXPECT_EQ(guest.read(kMiB, 65536), bytes);
  }
  // Is a region charged to this domain?
  [[nodiscard]] static bool pays(std::string_view name) {
    const json::object row = domain(name);
    return !sessions_are_free(cgroup() / "broker-1" /
                              fmt::format("{}-{}", row.at("index").to_number<int>(),
                                          row.at("generation").to_number<int>()));
  }
};

TEST_P(PolicyTest, IoGoesThereAndBack) {
  std::optional<Guest> alice(vda("alice"));
  std::optional<Guest> bob(vda("bob"));
  expect_round_trip(*alice, 1);
  expect_round_trip(*bob, 2);
  alice.reset();
  bob.reset();
  down();
}

TEST_P(PolicyTest, WhoPaysForARegion) {
  if (cgroup() != "/none") {
    EXPECT_EQ(pays("disk0"), GetParam().driver_pays);
    EXPECT_EQ(pays("alice"), !GetParam().driver_pays);
  }
  // The ledger is the client's in any case.
  EXPECT_EQ(domain("alice").at("in_sessions"), 4 * kMiB / 4096);
  EXPECT_EQ(domain("disk0").at("in_sessions"), 0);
  down();
}

TEST_P(PolicyTest, AClientThatTruncatesItsRegionHurtsNobodyElse) {
  std::optional<Guest> bob(vda("bob"));
  expect_round_trip(*bob, 1);
  const json::object bobs = session("bob");
  const pid_t driver = pid_of("disk0");
  Fd region = open_region(pid_of("alice"));
  ASSERT_TRUE(region);

  const auto noticed = [&] {
    return logs().find("its memory was taken back") != std::string::npos;
  };
  const int result = ::ftruncate(region.get(), 0);
  const int error = errno;
  region.reset();              // or its pages would not come home
  expect_round_trip(*bob, 2);  // the driver looks at every ring
  if (GetParam().client_can_take_back) {
    EXPECT_EQ(result, 0);
    EXPECT_TRUE(eventually(noticed)) << logs();
  } else {
    EXPECT_EQ(result, -1);
    EXPECT_EQ(error, EPERM);
    EXPECT_FALSE(noticed());
  }

  expect_round_trip(*bob, 3);
  EXPECT_EQ(session("bob"), bobs);
  EXPECT_EQ(pid_of("disk0"), driver);
  EXPECT_TRUE(has_lived("disk0", 1));
  EXPECT_TRUE(eventually([] { return is_connected("alice"); })) << logs();
  bob.reset();
  down();
}

INSTANTIATE_TEST_SUITE_P(Each, PolicyTest,
                         testing::Values(Expected{"donated", false, false, false},
                                         Expected{"revocable", true, false, true},
                                         Expected{"driver-owned", true, true, false}),
                         [](const auto& test) {
                           std::string name = test.param.policy;
                           std::erase(name, '-');
                           return name;
                         });

}  // namespace
}  // namespace cede::supervisor
