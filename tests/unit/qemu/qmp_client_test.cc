// SPDX-License-Identifier: Apache-2.0
// QMP with the test as QEMU.
#include "vmm/qemu/qmp_client.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "tests/support/fake_monitor.h"

namespace cede::qemu {
namespace {

using Kind = QmpMessage::Kind;

class QmpClientTest : public ::testing::Test {
 protected:
  // What receive() says to `text`.
  Status after(const std::string& text) {
    qemu_.say(text);
    return qmp_.receive().status();
  }
  void shake_hands() {
    qemu_.greet();
    EXPECT_EQ(qmp_.receive().status(), Status::Busy);
    EXPECT_EQ(qemu_.hear_name(), "qmp_capabilities");
    qemu_.succeed();
    const Result<QmpMessage> ready = qmp_.receive();
    ASSERT_TRUE(ready);
    EXPECT_EQ(ready->kind, Kind::Ready);
  }

  test::FakeMonitor qemu_;
  QmpClient qmp_{qemu_.take_client()};
};

TEST_F(QmpClientTest, TakesCommandsAfterTheHandshake) {
  EXPECT_EQ(qmp_.receive().status(), Status::Busy);
  EXPECT_EQ(qmp_.send("query-status").status(), Status::WrongState);
  shake_hands();
  const Result<std::uint32_t> sent = qmp_.send("query-status");
  ASSERT_TRUE(sent);
  const boost::json::value command = qemu_.hear();
  EXPECT_EQ(command.at("execute").as_string(), "query-status");
  EXPECT_FALSE(command.as_object().contains("arguments"));
  qemu_.say(R"({"return": {"running": true}, "id": )" + std::to_string(*sent) + "}\r\n");
  const Result<QmpMessage> reply = qmp_.receive();
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->kind, Kind::Reply);
  EXPECT_TRUE(reply->ok);
  EXPECT_EQ(reply->id, *sent);
  EXPECT_TRUE(reply->data.at("running").as_bool());
}

TEST_F(QmpClientTest, EventsComeBetweenAndErrorsInQemusWords) {
  shake_hands();
  const Result<std::uint32_t> sent = qmp_.send("device_del", {{"id", "x"}});
  ASSERT_TRUE(sent);
  EXPECT_EQ(qemu_.hear().at("arguments").at("id").as_string(), "x");
  qemu_.deleted("y");
  qemu_.fail("Device 'x' not found", "DeviceNotFound");
  const Result<QmpMessage> event = qmp_.receive();
  ASSERT_TRUE(event);
  EXPECT_EQ(event->kind, Kind::Event);
  EXPECT_EQ(event->text, "DEVICE_DELETED");
  EXPECT_EQ(event->data.at("device").as_string(), "y");
  const Result<QmpMessage> reply = qmp_.receive();
  ASSERT_TRUE(reply);
  EXPECT_FALSE(reply->ok);
  EXPECT_EQ(reply->id, *sent);
  EXPECT_EQ(reply->text, "Device 'x' not found");
  EXPECT_EQ(reply->error, "DeviceNotFound");
}

TEST_F(QmpClientTest, PassesADescriptor) {
  shake_hands();
  const Fd file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(qmp_.send("getfd", {{"fdname", "x"}}, file.get()));
  EXPECT_EQ(qemu_.hear_name(), "getfd");
  EXPECT_TRUE(qemu_.descriptor());
}

TEST_F(QmpClientTest, MessagesArriveBytewise) {
  shake_hands();
  const std::string event = R"({"event": "STOP", "data": {}})"
                            "\r\n";
  for (const char byte : event.substr(0, event.size() - 1)) {
    ASSERT_EQ(after(std::string(1, byte)), Status::Busy);
  }
  qemu_.say("\n");
  const Result<QmpMessage> message = qmp_.receive();
  ASSERT_TRUE(message);
  EXPECT_EQ(message->text, "STOP");
}

TEST_F(QmpClientTest, NonsenseBreaksIt) {
  const std::string deep = std::string(1000, '[') + std::string(1000, ']');
  for (const std::string& line :
       {std::string(), std::string("hello"), std::string("[]"), std::string("{}"),
        std::string(R"({"return": {}})"), std::string(R"({"return": {}, "id": 99})"),
        std::string(R"({"return": {}, "id": 0})"), std::string(R"({"return": {}, "id": "1"})"),
        std::string(R"({"return": {}, "id": -1})"), std::string(R"({"id": 1})"),
        std::string(R"({"return": {}, "error": {}, "id": 1})"),
        std::string(R"({"error": 7, "id": 1})"), deep}) {
    test::FakeMonitor qemu;
    QmpClient qmp(qemu.take_client());
    qemu.greet();
    EXPECT_EQ(qmp.receive().status(), Status::Busy);
    EXPECT_EQ(qemu.hear_name(), "qmp_capabilities");
    qemu.say(line + "\n");
    EXPECT_EQ(qmp.receive().status(), Status::Broken) << line;
  }
}

TEST_F(QmpClientTest, AGreetingThatIsNoneBreaksIt) {
  EXPECT_EQ(after("{\"event\": \"STOP\"}\n"), Status::Broken);
}

TEST_F(QmpClientTest, ALineWithoutEndBreaksIt) {
  shake_hands();
  const std::string piece(64UL << 10, ' ');
  Status status = Status::Busy;
  std::size_t sent = 0;
  while (status == Status::Busy && sent <= 2 * QmpClient::kMaxMessage) {
    status = after(piece);
    sent += piece.size();
  }
  EXPECT_EQ(status, Status::Broken);
  EXPECT_GT(sent, QmpClient::kMaxMessage);
}

TEST_F(QmpClientTest, AQemuThatDoesNotReadIsBusyAndOneThatEndedIsGone) {
  shake_hands();
  Status status = Status::Ok;
  for (int i = 0; i < 100'000 && status == Status::Ok; ++i) {
    status = qmp_.send("query-status").status();
  }
  EXPECT_EQ(status, Status::Busy);
  EXPECT_EQ(qmp_.send("x", {{"y", std::string(QmpClient::kMaxCommand, 'z')}}).status(),
            Status::Invalid);
  qemu_.hang_up();
  EXPECT_EQ(qmp_.receive().status(), Status::Gone);
  EXPECT_EQ(qmp_.send("query-status").status(), Status::Gone);
}

}  // namespace
}  // namespace cede::qemu
