// SPDX-License-Identifier: Apache-2.0
// cede-frontend as a program: its command line, its signals, its end.
#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdio>
#include <memory>

#include "tests/unit/vhost_user/client_fixture.h"

namespace cede::test {
namespace {

using namespace vhost_user;

class FrontendProgram : public ClientFixture {};

TEST_F(FrontendProgram, ExitsCleanlyOnSigterm) {
  serve();
  VhostUserClient client(options());
  client.start();
  process_.signal(SIGTERM);
  broker_.reply(broker_.hear(MessageType::Close));
  broker_.end_session(Status::Ok);
  EXPECT_EQ(process_.wait(kPatience), 0);
}

TEST_F(FrontendProgram, ExitsOnSigtermEvenIfNobodyAnswers) {
  serve();
  process_.signal(SIGTERM);
  EXPECT_EQ(process_.wait(kPatience), 0);
}

TEST_F(FrontendProgram, ExitsWhenTheBrokerClosesTheDomain) {
  serve();
  broker_.close();
  EXPECT_EQ(process_.wait(kPatience), 0);
}

TEST_F(FrontendProgram, AuditsItsOwnSessionOnceAndFromInsideTheSandbox) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const Fd reader(ends[0]);
  Fd writer(ends[1]);
  start({"--audit-fd", std::to_string(writer.get())}, "", {writer.get()});
  writer.reset();
  broker_.grant("vda");
  connect_session();
  VhostUserClient client(options());
  client.start();
  EXPECT_EQ(client.execute({.bytes = 512}), VIRTIO_BLK_S_OK) << "and serves as ever";
  lose_session();
  broker_.grant("vda");
  connect_session();
  EXPECT_EQ(client.execute({.bytes = 512}), VIRTIO_BLK_S_OK);
  process_.kill();
  std::string report;
  char text[4096];
  for (ssize_t got = 0; (got = ::read(reader.get(), text, sizeof text)) > 0;) {
    report.append(text, static_cast<std::size_t>(got));
  }
  EXPECT_EQ(std::count(report.begin(), report.end(), '\n'), 1) << report;
  EXPECT_NE(report.find("\"device\":\"vda\",\"passed\":true"), std::string::npos) << report;
}

TEST_F(FrontendProgram, ServesAnInheritedConnectedSocketAndEndsWithIt) {
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
  Fd theirs(pair[1]);
  auto peer = std::make_unique<VhostUserConnection>(Fd(pair[0]));
  process_ = Process::start(
      {.arguments = frontend_command(broker_, {"--fd", std::to_string(theirs.get())}),
       .inherited = {broker_.child_fd(), theirs.get()}});
  broker_.drop_child_fd();
  theirs.reset();
  broker_.grant("whatever");
  connect_session();
  EXPECT_NE(peer->get<std::uint64_t>(Request::GetFeatures), 0U);
  peer.reset();
  broker_.reply(broker_.hear(MessageType::Close));
  broker_.end_session(Status::Ok);
  EXPECT_EQ(process_.wait(kPatience), 0);
}

TEST(FrontendCommandLine, PrintsItsCapabilitiesAndIgnoresTheRest) {
  std::FILE* output = ::popen(CEDE_FRONTEND_BINARY " --print-capabilities --nonsense", "r");
  char text[256] = {};
  const std::size_t length = std::fread(text, 1, sizeof text - 1, output);
  EXPECT_EQ(::pclose(output), 0);
  EXPECT_NE(std::string(text, length).find("\"type\": \"block\""), std::string::npos);
}

TEST(FrontendCommandLine, BadOptionsEndWithOneLine) {
  const std::pair<const char*, const char*> cases[] = {
      {"--capability 0", "give --socket-path, --fd or --device"},
      {"--capability 99 --socket-path /tmp/x", "--capability 99: no such descriptor"},
      {"--capability 0 --device name=vda", "give name= and socket="},
      {"--capability 0 --device name=vda,socket=/tmp/x,slots=100", "powers of two"},
      {"--capability 0 --device name=vda,socket=/tmp/x,queues=two", "takes a number"},
      {"--capability 0 --device name=vda,socket=/tmp/x,color=red", "there is no 'color'"},
      {"--capability 0 --socket-path /etc/hostname", "is not a socket"},
      {"--capability 0 --socket-path /nonexistent/x", "No such file"},
      {"--socket-path /tmp/x", "--capability is required"},
      {"--capability nine --socket-path /tmp/x", "nine"},
      {"--capability 0 --socket-path /tmp/x --colour red", "--colour"},
      {"--capability 0 --socket-path /tmp/x --uid 5", "--gid"},
  };
  for (const auto& [arguments, expected] : cases) {
    const std::string command = std::string(CEDE_FRONTEND_BINARY) + " " + arguments + " 2>&1";
    std::FILE* output = ::popen(command.c_str(), "r");
    char text[1024] = {};
    const std::size_t length = std::fread(text, 1, sizeof text - 1, output);
    EXPECT_EQ(WEXITSTATUS(::pclose(output)), 1) << arguments;
    EXPECT_NE(std::string(text, length).find(expected), std::string::npos) << text;
    EXPECT_EQ(std::count(text, text + length, '\n'), 1) << text;
  }
}

TEST(FrontendCommandLine, HelpIsNoError) {
  std::FILE* output = ::popen(CEDE_FRONTEND_BINARY " --help 2>/dev/null", "r");
  char text[256] = {};
  const std::size_t length = std::fread(text, 1, sizeof text - 1, output);
  while (std::fgetc(output) != EOF) {
  }
  EXPECT_EQ(::pclose(output), 0);
  EXPECT_NE(std::string(text, length).find("Usage"), std::string::npos) << text;
}

}  // namespace
}  // namespace cede::test
