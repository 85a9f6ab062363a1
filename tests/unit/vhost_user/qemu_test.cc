// SPDX-License-Identifier: Apache-2.0
// A real QEMU whose BIOS drives the disk.
//
// What QEMU 7.2 says to a vhost-user-blk back-end, as traced (CEDE_TEST_LOG=debug shows it):
//   realize    GET_FEATURES, GET_PROTOCOL_FEATURES, SET_PROTOCOL_FEATURES, GET_QUEUE_NUM,
//              GET_MAX_MEM_SLOTS, SET_OWNER, GET_FEATURES, per queue SET_VRING_CALL and _ERR,
//              GET_CONFIG
//   driver ok  SET_FEATURES, GET_INFLIGHT_FD, SET_INFLIGHT_FD, SET_VRING_CALL, SET_FEATURES,
//              ADD_MEM_REG for each region, per configured queue _NUM, _BASE, _ADDR, _KICK, then
//              SET_VRING_ENABLE for every queue, configured or not
//   stop       SET_VRING_ENABLE 0, GET_VRING_BASE; the next start sends no memory messages
//   reconnect  as realize without GET_CONFIG, then driver ok with the old in-flight file and the
//              used index as the base
#include <fstream>
#include <iterator>
#include <thread>

#include "tests/unit/vhost_user/frontend_fixture.h"

namespace cede::test {
namespace {

// A boot sector, 16-bit code at 0x7c00. It counts boots in the first byte of sector 1 and prints
// the count on the debug port, resets the machine until it has counted to three, and from then on
// increments the 16-bit number at the start of sector 2 for ever, with a dot for each write that
// the disk has answered. An error prints F and halts.
constexpr unsigned char kBootCode[] = {
    0xfa,                                // cli
    0x31, 0xc0,                          // xor %ax,%ax
    0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xd0,  // mov %ax to %ds, %es, %ss
    0xbc, 0x00, 0x7c,                    // mov $0x7c00,%sp
    0xfb,                                // sti
    0x88, 0x16, 0x00, 0x7b,              // mov %dl,0x7b00        the boot drive
    0xbe, 0x63, 0x7c,                    // mov $0x7c63,%si       the disk address packet
    0xe8, 0x36, 0x00,                    // call read
    0xfe, 0x06, 0x00, 0x80,              // incb 0x8000
    0xe8, 0x33, 0x00,                    // call write
    0xa0, 0x00, 0x80,                    // mov 0x8000,%al
    0x04, 0x30, 0xe6, 0xe9,              // add $'0',%al; out %al,$0xe9
    0x80, 0x3e, 0x00, 0x80, 0x03,        // cmpb $3,0x8000
    0x73, 0x0c,                          // jae count
    0xba, 0xf9, 0x0c,                    // mov $0xcf9,%dx        the reset port
    0xb0, 0x02, 0xee, 0xb0, 0x06, 0xee,  // mov $2,%al; out; mov $6,%al; out
    0xf4, 0xeb, 0xfd,                    // halt: hlt; jmp halt
    0xc6, 0x06, 0x6b, 0x7c, 0x02,        // count: movb $2,0x7c6b
    0xe8, 0x0d, 0x00,                    // again: call read
    0xff, 0x06, 0x00, 0x80,              // incw 0x8000
    0xe8, 0x0a, 0x00,                    // call write
    0xb0, 0x2e, 0xe6, 0xe9,              // mov $'.',%al; out %al,$0xe9
    0xeb, 0xf0,                          // jmp again
    0xb4, 0x42, 0xeb, 0x03,              // read: mov $0x42,%ah; jmp go
    0xb8, 0x00, 0x43,                    // write: mov $0x4300,%ax
    0x8a, 0x16, 0x00, 0x7b,              // go: mov 0x7b00,%dl
    0xcd, 0x13, 0x72, 0x01, 0xc3,        // int $0x13; jc fail; ret
    0xb0, 0x46, 0xe6, 0xe9, 0xeb, 0xd2,  // fail: mov $'F',%al; out; jmp halt
    0x10, 0x00, 0x01, 0x00,              // the packet: 16 bytes, 1 sector
    0x00, 0x80, 0x00, 0x00,              // to or from 0:0x8000
    0x01,                                // sector 1, or 2
};

class QemuTest : public FrontendFixture {
 protected:
  QemuTest() {
    std::memcpy(disk_.data(), kBootCode, sizeof kBootCode);
    disk_[510] = std::byte{0x55};
    disk_[511] = std::byte{0xaa};
  }
  void boot() {
    qemu_ = Process::start(
        {.arguments = {"qemu-system-x86_64", "-accel", "tcg", "-machine",
                       "pc,memory-backend=memory", "-m", "64", "-object",
                       "memory-backend-memfd,id=memory,size=64M,share=on", "-nodefaults",
                       "-display", "none", "-debugcon", "file:" + output_path(), "-chardev",
                       "socket,id=disk,reconnect=1,path=" + socket_path(), "-device",
                       "vhost-user-blk-pci,chardev=disk,num-queues=2,bootindex=0"}});
  }
  std::string output_path() { return directory_.path("output"); }
  std::string output() {
    std::ifstream file(output_path());
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::size_t writes() {
    const std::string text = output();
    return static_cast<std::size_t>(std::count(text.begin(), text.end(), '.'));
  }
  // Waits for the guest to go on; an error of its disk is final.
  void expect_progress() {
    const std::size_t target = writes() + 20;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(90);
    while (writes() < target) {
      ASSERT_EQ(output().find('F'), std::string::npos) << "the guest saw an error";
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "the guest's output: " << output();
      ASSERT_FALSE(qemu_.wait(std::chrono::milliseconds(0))) << "QEMU ended";
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }

  Process qemu_;
};

TEST_F(QemuTest, AGuestBootsResetsAndOutlivesTheDeathsOfItsFrontendAndItsDriver) {
  serve(",queues=2");
  boot();
  expect_progress();
  EXPECT_EQ(output().substr(0, 4), "123.") << "two resets: the disk was stopped and started";

  // The driver dies under I/O: the guest sees a pause.
  lose_session();
  broker_.grant("vda");
  connect_session();
  expect_progress();

  // The frontend dies under I/O: QEMU reconnects to its next life.
  process_.kill();
  lose_backend();
  broker_ = PlayedBroker();
  serve(",queues=2");
  expect_progress();

  qemu_.kill();
  const std::size_t answered = writes();
  lose_backend();
  std::uint16_t counted = 0;
  std::memcpy(&counted, &disk_[2 * 512], sizeof counted);
  EXPECT_GE(counted, answered) << "what was answered is on the disk";
  EXPECT_LE(counted, answered + 1) << "and nothing was executed twice with another content";
}

}  // namespace
}  // namespace cede::test
