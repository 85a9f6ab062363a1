// SPDX-License-Identifier: Apache-2.0
// Clients that take their memory back, where they can (--revocable-regions), each beside one that
// does not and must not notice.
#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/unit/driver/driver_process.h"
#include "tests/unit/driver/requests.h"

namespace cede::test {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;

class Revoking {
 public:
  Revoking(const std::string& directory, const std::vector<std::string>& options)
      : image_(directory, 4 * kMiB),
        driver_(image_.path(),
                {"device=0,name=mallory,offset=0,length=2097152",
                 "device=1,name=alice,offset=2097152,length=2097152"},
                options),
        honest_(driver_.connect(1)) {
    SessionParts parts = make_session_parts(kSmall);
    region_ = region_of(parts);
    attacker_ = driver_.connect(0, std::move(parts));
    EXPECT_EQ(attacker().run(flush_request(0)), VIRTIO_BLK_S_OK) << "the session is served";
  }

  [[nodiscard]] DriverProcess& driver() { return driver_; }
  [[nodiscard]] TestClient& attacker() { return *attacker_.client; }
  [[nodiscard]] TestClient& honest() { return *honest_.client; }

  // Takes everything behind the first `bytes` of the region back.
  void truncate(std::uint64_t bytes) {
    ASSERT_EQ(::ftruncate(region_.get(), static_cast<off_t>(bytes)), 0);
  }
  void honest_io() {
    const auto bytes = pattern(16384, ++round_);
    std::ranges::copy(bytes, honest().payload(0, bytes.size()).begin());
    ASSERT_EQ(honest().run(write_request(honest(), 1, 128, 16384)), VIRTIO_BLK_S_OK);
    ASSERT_EQ(honest().run(read_request(honest(), 2, 128, 16384, 32768)), VIRTIO_BLK_S_OK);
    ASSERT_TRUE(same(honest().payload(32768, 16384), bytes));
  }
  void expect_only_the_attacker_falls() {
    EXPECT_EQ(driver_.expect(MessageType::Close, attacker_.session).status, Status::Broken);
    driver_.expect(MessageType::Release, attacker_.session);
    driver_.send(MessageType::Closed, attacker_.session, Status::Broken);
    honest_io();
    EXPECT_NE(driver_.log().find("its memory was taken back"), std::string::npos) << driver_.log();
    EXPECT_EQ(driver_.stats(0).rejected, 1U);
    EXPECT_EQ(driver_.stats(1).rejected, 0U);
    (void)driver_.connect(0);  // another session of the same volume
    EXPECT_EQ(driver_.hang_up(), 0) << driver_.log();
  }

 private:
  Image image_;
  DriverProcess driver_;
  DriverProcess::Connected honest_;
  Fd region_;
  DriverProcess::Connected attacker_;
  std::uint32_t round_ = 0;
};

const std::vector<std::string> kSurvives = {"--revocable-regions"};

TEST(DriverRevocable, ARegionThatVanishesCostsItsClientTheSession) {
  Revoking test("/dev/shm", kSurvives);
  test.truncate(0);
  test.honest_io();  // wakes the driver, which looks at every ring
  test.expect_only_the_attacker_falls();
}

TEST(DriverRevocable, WithoutTheOptionTheDriverDies) {
  Revoking test("/dev/shm", {});
  test.truncate(0);
  test.honest().put(flush_request(1));
  test.honest().publish();
  // Of SIGBUS; a sanitizer makes an exit status of its own of it.
  EXPECT_NE(test.driver().wait(), 0);
}

TEST(DriverRevocable, PayloadThatVanishesIsAnErrorOfTheRequestThatTheKernelRuns) {
  Revoking test("/dev/shm", kSurvives);
  TestClient& attacker = test.attacker();
  test.truncate(kSmall.data_offset());
  EXPECT_EQ(attacker.run(write_request(attacker, 1, 0, 8192)), VIRTIO_BLK_S_IOERR);
  EXPECT_EQ(attacker.run(read_request(attacker, 2, 0, 8192)), VIRTIO_BLK_S_IOERR);
  test.honest_io();
  // This one, the driver itself writes.
  attacker.put({.type = VIRTIO_BLK_T_GET_ID,
                .id = 3,
                .offset = attacker.at(0),
                .length = VIRTIO_BLK_ID_BYTES});
  attacker.publish();
  test.expect_only_the_attacker_falls();
}

TEST(DriverRevocable, PinnedPayloadOutlivesItsFile) {
  Revoking test(TEST_IMAGES, kSurvives);
  TestClient& attacker = test.attacker();
  const auto bytes = pattern(8192, 7);
  std::ranges::copy(bytes, attacker.payload(0, bytes.size()).begin());
  test.truncate(kSmall.data_offset());
  EXPECT_EQ(attacker.run(write_request(attacker, 1, 0, 8192)), VIRTIO_BLK_S_OK);
  EXPECT_EQ(attacker.run(read_request(attacker, 2, 0, 8192)), VIRTIO_BLK_S_OK);
  test.honest_io();
  test.truncate(0);
  test.honest_io();
  test.expect_only_the_attacker_falls();
}

}  // namespace
}  // namespace cede::test
