// SPDX-License-Identifier: Apache-2.0
// The audit against regions sealed as the broker seals them, and against weaker ones: it has to
// find each weakness, or its word is worth nothing.
#include "frontend/revocation_audit.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <map>
#include <string>

#include "tests/support/client_session.h"

namespace cede::frontend {
namespace {

constexpr Geometry kGeometry{.pages = 64, .rings = 1, .slot_bytes = 32, .slots = 16};
constexpr int kSizeSeals = F_SEAL_SHRINK | F_SEAL_GROW;
constexpr int kAllSeals = kSizeSeals | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL;

// Both sides map, then the seals: the broker's order.
struct Audited {
  explicit Audited(int seals)
      : parts(test::make_session_parts(kGeometry)),
        driver(*Mapping::map(parts.driver.region.get(), kGeometry.bytes())),
        session(test::open_client(parts, test::disk_info(1 << 20))) {
    format_ring(driver.data());
    if (seals != 0 && ::fcntl(parts.driver.region.get(), F_ADD_SEALS, seals) != 0) {
      throw std::runtime_error("cannot seal the test region");
    }
    const Result<RevocationAudit> result = audit_revocation(session);
    if (!result) throw std::runtime_error("no audit");
    audit = *result;
    for (const RevocationAttempt& attempt : audit.attempts) {
      errors[std::string(attempt.what)] = attempt.error;
    }
  }

  test::SessionParts parts;
  Mapping driver;
  Session session;
  RevocationAudit audit;
  std::map<std::string, int> errors;  // 0: it worked
};

TEST(RevocationAudit, EveryAttemptOnASealedRegionIsRefused) {
  const Audited sealed(kAllSeals);
  EXPECT_TRUE(sealed.audit.passed());
  EXPECT_TRUE(sealed.audit.control_worked);
  EXPECT_TRUE(sealed.audit.contents_intact);
  EXPECT_EQ(sealed.errors, (std::map<std::string, int>{{"truncate", EPERM},
                                                       {"truncate_half", EPERM},
                                                       {"grow", EPERM},
                                                       {"punch_hole", EPERM},
                                                       {"madvise_remove", EPERM},
                                                       {"write", EPERM},
                                                       {"map_writable", EPERM},
                                                       {"mprotect_writable", EACCES},
                                                       {"remap_pages", EPERM},
                                                       {"add_seal", EPERM}}));
}

TEST(RevocationAudit, ASealedRegionIsAsNewAfterwards) {
  const Audited sealed(kAllSeals);
  for (std::size_t at = kGeometry.data_offset(); at < kGeometry.bytes(); ++at) {
    ASSERT_EQ(sealed.driver.data()[at], std::byte{0}) << "at " << at;
  }
  EXPECT_EQ(SharedIndex(sealed.driver.data() + RingShape::kFrontLine + RingShape::kToEvent)
                .load(std::memory_order_relaxed),
            1U)
      << "the ring is as it was formatted";
}

TEST(RevocationAudit, EveryAttemptOnAnUnsealedRegionWorksAndIsReported) {
  const Audited open(0);
  EXPECT_FALSE(open.audit.passed());
  EXPECT_TRUE(open.audit.control_worked);
  EXPECT_FALSE(open.audit.contents_intact);
  EXPECT_EQ(open.errors.size(), 10U);
  for (const auto& [what, error] : open.errors) EXPECT_EQ(error, 0) << what;
}

// QEMU's default seals: the pages can still be punched out from under the driver.
TEST(RevocationAudit, WithoutFutureWriteTheHolesAreFound) {
  const Audited weak(kSizeSeals | F_SEAL_SEAL);
  EXPECT_FALSE(weak.audit.passed());
  EXPECT_FALSE(weak.audit.contents_intact);
  EXPECT_EQ(weak.errors.at("truncate"), EPERM);
  EXPECT_EQ(weak.errors.at("grow"), EPERM);
  EXPECT_EQ(weak.errors.at("punch_hole"), 0);
  EXPECT_EQ(weak.errors.at("madvise_remove"), 0);
  EXPECT_EQ(weak.errors.at("write"), 0);
  EXPECT_EQ(weak.errors.at("map_writable"), 0);
  EXPECT_EQ(weak.errors.at("remap_pages"), 0);
}

TEST(RevocationAudit, WithoutTheLastSealAnotherCanBeAdded) {
  const Audited weak(kSizeSeals | F_SEAL_FUTURE_WRITE);
  EXPECT_FALSE(weak.audit.passed());
  EXPECT_EQ(weak.errors.at("add_seal"), 0);
  EXPECT_EQ(weak.errors.at("punch_hole"), EPERM);
}

TEST(RevocationAudit, NeedsTheRegionsDescriptor) {
  test::SessionParts parts = test::make_session_parts(kGeometry);
  Session session = test::open_client(parts, test::disk_info(1 << 20));
  session.region_fd.reset();
  EXPECT_EQ(audit_revocation(session).status(), Status::Invalid);
}

TEST(RevocationAudit, PassesOnlyIfAllOfItHolds) {
  RevocationAudit audit;
  audit.attempts = {{"a", true, EPERM}, {"b", true, EPERM}};
  audit.control_worked = audit.contents_intact = true;
  EXPECT_TRUE(audit.passed());
  audit.control_worked = false;
  EXPECT_FALSE(audit.passed());
  audit.control_worked = true;
  audit.contents_intact = false;
  EXPECT_FALSE(audit.passed());
  audit.contents_intact = true;
  audit.attempts[1].refused = false;
  EXPECT_FALSE(audit.passed());
}

TEST(RevocationAudit, IsOneLineOfJson) {
  RevocationAudit audit;
  audit.attempts = {{"truncate", true, EPERM}, {"write", false, 0}, {"odd", true, 99999}};
  audit.control_worked = true;
  EXPECT_EQ(to_json_line("a\"b\\c\n\xff/vda", audit),
            "{\"device\":\"a\\\"b\\\\c\\u000a\\u00ff/vda\",\"passed\":false,"
            "\"control_worked\":true,\"contents_intact\":false,\"attempts\":["
            "{\"attempt\":\"truncate\",\"refused\":true,\"errno\":\"EPERM\"},"
            "{\"attempt\":\"write\",\"refused\":false,\"errno\":null},"
            "{\"attempt\":\"odd\",\"refused\":true,\"errno\":99999}]}\n");
}

}  // namespace
}  // namespace cede::frontend
