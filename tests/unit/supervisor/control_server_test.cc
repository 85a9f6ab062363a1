// SPDX-License-Identifier: Apache-2.0
#include "vmm/supervisor/control_server.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <array>
#include <boost/json.hpp>

#include "tests/unit/supervisor/support.h"

namespace cede::supervisor {
namespace {

namespace json = boost::json;
using std::chrono::milliseconds;
constexpr milliseconds kLong{10'000};

class ControlServerTest : public testing::Test {
 protected:
  Fd connect() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.string().copy(address.sun_path, sizeof address.sun_path - 1);
    Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    return fd;
  }
  // Sends `text`; returns what comes back, up to `lines` lines or the end of the connection.
  std::string talk(const Fd& fd, const std::string& text, int lines = 1) {
    EXPECT_EQ(::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
    std::string got;
    EXPECT_TRUE(loop_.poll_until(
        [&] {
          std::array<char, 65536> buffer;
          const ssize_t count = ::recv(fd.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
          if (count > 0) got.append(buffer.data(), static_cast<std::size_t>(count));
          const bool over = count == 0 || (count < 0 && errno == ECONNRESET);
          return over || std::count(got.begin(), got.end(), '\n') >= lines;
        },
        kLong));
    return got;
  }

  TemporaryDirectory directory_;
  std::filesystem::path path_ = directory_.path() / "control.sock";
  EventLoop loop_;
  ControlServer server_{loop_, listen_for_control(path_),
                        [](const json::object& request, bool& follow) {
                          follow = request.contains("follow");
                          return json::object{{"ok", true}, {"echo", request}};
                        }};
};

TEST_F(ControlServerTest, AnswersEachLineWithOne) {
  const Fd fd = connect();
  EXPECT_EQ(talk(fd, "{\"a\":1}\n{\"b\":2}\n", 2),
            "{\"ok\":true,\"echo\":{\"a\":1}}\n{\"ok\":true,\"echo\":{\"b\":2}}\n");
}

TEST_F(ControlServerTest, OnlyTheOwnerMayConnect) {
  struct stat status {};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
}

TEST_F(ControlServerTest, NonsenseIsAnsweredWithAnErrorAndTheConnectionGoesOn) {
  const Fd fd = connect();
  EXPECT_EQ(talk(fd, "what?\n"), "{\"ok\":false,\"error\":\"the request is not a JSON object\"}\n");
  EXPECT_EQ(talk(fd, "[1]\n"), "{\"ok\":false,\"error\":\"the request is not a JSON object\"}\n");
  EXPECT_EQ(talk(fd, "{}\n"), "{\"ok\":true,\"echo\":{}}\n");
}

TEST_F(ControlServerTest, ALineWithoutEndEndsTheConnectionAndNoOther) {
  const Fd other = connect();
  const Fd fd = connect();
  EXPECT_EQ(talk(fd, std::string(10'000, 'x')), "");
  EXPECT_EQ(talk(other, "{}\n"), "{\"ok\":true,\"echo\":{}}\n");
}

TEST_F(ControlServerTest, BroadcastsReachThoseWhoFollow) {
  const Fd follower = connect();
  const Fd other = connect();
  (void)talk(follower, "{\"follow\":true}\n");
  (void)talk(other, "{}\n");
  server_.broadcast({{"progress", "x"}});
  EXPECT_EQ(talk(follower, "", 1), "{\"progress\":\"x\"}\n");
  EXPECT_EQ(talk(other, "{}\n"), "{\"ok\":true,\"echo\":{}}\n");
}

TEST_F(ControlServerTest, MoreConnectionsThanAllowedDoNotShutOutThoseThereAre) {
  const Fd first = connect();
  std::vector<Fd> many;
  for (int i = 0; i < 40; ++i) {
    many.push_back(connect());
    (void)loop_.poll_until([] { return false; }, milliseconds(2));
  }
  EXPECT_EQ(talk(first, "{}\n"), "{\"ok\":true,\"echo\":{}}\n");
  many.clear();
  (void)loop_.poll_until([] { return false; }, milliseconds(50));
  EXPECT_EQ(talk(connect(), "{}\n"), "{\"ok\":true,\"echo\":{}}\n");
}

}  // namespace
}  // namespace cede::supervisor
