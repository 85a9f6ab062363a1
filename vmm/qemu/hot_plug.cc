// SPDX-License-Identifier: Apache-2.0
#include "vmm/qemu/hot_plug.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <utility>

#include "vmm/qemu/region_file.h"

namespace cede::qemu {
namespace {

namespace json = boost::json;
using std::chrono::milliseconds;

constexpr std::size_t kMaxName = 32;
constexpr int kMessagesPerTurn = 64;
constexpr milliseconds kAgain{10};
constexpr milliseconds kUnasked{5'000};  // for what is left to do when a guest gives up a device
constexpr milliseconds kNothingDue{60'000};

bool is_id(std::string_view text) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  const auto other = [](char c) { return (c >= '0' && c <= '9') || c == '-' || c == '.'; };
  return !text.empty() && text.size() <= kMaxName && letter(text.front()) &&
         std::all_of(text.begin(), text.end(), [&](char c) { return letter(c) || other(c); });
}

struct Command {
  std::string_view name;
  json::object arguments;
};

// From the reply to add-fd; -1: it makes no sense.
int descriptor_of(const json::value& added) {
  if (!added.is_object()) return -1;
  const json::value* fd = added.get_object().if_contains("fd");
  json::error_code error;
  const int number = fd == nullptr ? -1 : fd->to_number<int>(error);
  return error || number < 0 ? -1 : number;
}

}  // namespace

Status HotPlug::plug(const RegionDevice& device, int region, milliseconds timeout) {
  if (!ready_) return Status::WrongState;
  if (!is_id(device.name) || !is_id(device.bus)) return Status::Invalid;
  const Result<std::uint64_t> bytes = region_bytes(region);
  if (!bytes) return bytes.status();
  const auto taken = [&](const Device& other) {
    return other.what.name == device.name || other.what.bus == device.bus;
  };
  if (std::any_of(devices_.begin(), devices_.end(), taken)) return Status::Busy;
  if (devices_.size() == kMaxDevices) return Status::Full;
  Device next{.what = device, .bytes = *bytes, .life = ++lives_, .deadline = Deadline(timeout)};
  const Status status = advance(next, Step::AddFd, region);
  if (status == Status::Ok) devices_.push_back(std::move(next));
  return status;
}

Status HotPlug::unplug(std::string_view name, milliseconds timeout) {
  Device* device = find(name);
  if (device == nullptr) return Status::Stale;
  const bool overdue = !device->deadline && device->command == 0;
  if (device->step == Step::Plugged || (device->step == Step::DelDevice && overdue)) {
    const Status status = advance(*device, Step::DelDevice);
    if (status == Status::Ok) device->deadline = Deadline(timeout);
    return status;
  }
  return Status::WrongState;
}

// Sends the command of a step.
Status HotPlug::advance(Device& device, Step step, int descriptor) {
  const std::string& name = device.what.name;
  const std::string memory = fmt::format("region{}", device.life);
  Command command;
  switch (step) {
    case Step::AddFd:
      command = {"add-fd", {{"fdset-id", device.life}}};
      break;
    case Step::AddMemory:
      command = {"object-add",
                 {{"qom-type", "memory-backend-file"},
                  {"id", memory},
                  {"mem-path", fmt::format("/proc/self/fd/{}", device.qemu_fd)},
                  {"size", device.bytes},
                  {"share", true}}};
      break;
    case Step::DropFd:
    case Step::UndoFd:
      command = {"remove-fd", {{"fdset-id", device.life}}};
      break;
    case Step::AddDevice:
      command = {"device_add",
                 {{"driver", "ivshmem-plain"},
                  {"id", name},
                  {"memdev", memory},
                  {"bus", device.what.bus}}};
      break;
    case Step::DelDevice:
      command = {"device_del", {{"id", name}}};
      break;
    case Step::UndoMemory:
    case Step::RemoveMemory:
      command = {"object-del", {{"id", memory}}};
      break;
    case Step::Plugged:
    case Step::Forgotten:
      return Status::WrongState;
  }
  const Result<std::uint32_t> sent = qmp_.send(command.name, command.arguments, descriptor);
  if (!sent) return sent.status();
  device.step = step;
  device.command = *sent;
  device.again.reset();
  return Status::Ok;
}

Status HotPlug::turn() {
  for (int i = 0; i < kMessagesPerTurn; ++i) {
    const Result<QmpMessage> message = qmp_.receive();
    if (!message && message.status() == Status::Busy) break;
    if (!message) return message.status();
    switch (message->kind) {
      case QmpMessage::Kind::Ready:
        ready_ = true;
        break;
      case QmpMessage::Kind::Reply:
        replied(*message);
        break;
      case QmpMessage::Kind::Event:
        happened(*message);
        break;
    }
  }
  look_at_clock();
  std::erase_if(devices_, [](const Device& device) { return device.step == Step::Forgotten; });
  return Status::Ok;
}

void HotPlug::replied(const QmpMessage& reply) {
  const auto asked = std::find_if(devices_.begin(), devices_.end(),
                                  [&](const Device& device) { return device.command == reply.id; });
  if (asked == devices_.end()) return;
  Device& device = *asked;
  device.command = 0;
  if (!reply.ok) {
    failed(device, reply);
    return;
  }
  Status status = Status::Ok;
  switch (device.step) {
    case Step::AddFd:
      device.qemu_fd = descriptor_of(reply.data);
      status = advance(device, device.qemu_fd >= 0 ? Step::AddMemory : Step::UndoFd);
      break;
    case Step::AddMemory:
      status = advance(device, Step::DropFd);
      break;
    case Step::DropFd:
      status = advance(device, Step::AddDevice);
      break;
    case Step::AddDevice:
      device.step = Step::Plugged;
      finish(device, PlugOutcome::Kind::Plugged, Status::Ok);
      break;
    case Step::UndoFd:
    case Step::UndoMemory:
      device.step = Step::Forgotten;
      finish(device, PlugOutcome::Kind::Plugged, Status::Refused);
      break;
    case Step::RemoveMemory:
      device.step = Step::Forgotten;
      finish(device, PlugOutcome::Kind::Unplugged, device.failure);
      break;
    case Step::DelDevice:  // the event is still to come
    case Step::Plugged:
    case Step::Forgotten:
      break;
  }
  // A QEMU that does not read what it is sent: the deadline will tell.
  if (status != Status::Ok) device.problem = to_string(status);
}

void HotPlug::failed(Device& device, const QmpMessage& reply) {
  const bool missing =
      reply.error == "DeviceNotFound" || reply.text.find("not found") != std::string::npos;
  switch (device.step) {
    case Step::AddFd:
      device.problem = reply.text;
      device.step = Step::Forgotten;
      finish(device, PlugOutcome::Kind::Plugged, Status::Refused);
      break;
    case Step::AddMemory:
      device.problem = reply.text;
      (void)advance(device, Step::UndoFd);
      break;
    case Step::DropFd:
    case Step::AddDevice:
      device.problem = reply.text;
      (void)advance(device, Step::UndoMemory);
      break;
    case Step::UndoFd:
      device.step = Step::Forgotten;
      finish(device, PlugOutcome::Kind::Plugged, Status::Refused);
      break;
    case Step::DelDevice:
      // Among others: the guest was asked before, and has not answered. The event may still come.
      device.problem = reply.text;
      if (missing) (void)advance(device, Step::RemoveMemory);
      break;
    case Step::UndoMemory:
    case Step::RemoveMemory:
      // In use until QEMU has destroyed the device altogether.
      if (!missing) {
        device.again = Deadline(kAgain);
      } else {
        const bool plugging = device.step == Step::UndoMemory;
        device.step = Step::Forgotten;
        finish(device, plugging ? PlugOutcome::Kind::Plugged : PlugOutcome::Kind::Unplugged,
               plugging ? Status::Refused : device.failure);
      }
      break;
    case Step::Plugged:
    case Step::Forgotten:
      break;
  }
}

void HotPlug::happened(const QmpMessage& event) {
  if (event.text != "DEVICE_DELETED" || !event.data.is_object()) return;
  const json::value* name = event.data.get_object().if_contains("device");
  if (name == nullptr || !name->is_string()) return;
  Device* device = find(name->get_string());
  if (device == nullptr) return;
  if (device->step != Step::Plugged && device->step != Step::DelDevice) return;
  if (device->step == Step::Plugged) {
    device->failure = Status::Gone;
    device->deadline = Deadline(kUnasked);
  }
  device->problem.clear();
  (void)advance(*device, Step::RemoveMemory);
}

void HotPlug::look_at_clock() {
  for (Device& device : devices_) {
    if (device.again && device.again->passed()) (void)advance(device, device.step);
    if (!device.deadline || !device.deadline->passed()) continue;
    finish(device,
           device.step >= Step::Plugged ? PlugOutcome::Kind::Unplugged : PlugOutcome::Kind::Plugged,
           Status::TimedOut);
  }
}

milliseconds HotPlug::until_due() const {
  milliseconds due = kNothingDue;
  for (const Device& device : devices_) {
    if (device.deadline) due = std::min(due, device.deadline->left());
    if (device.again) due = std::min(due, device.again->left());
  }
  return due;
}

void HotPlug::finish(Device& device, PlugOutcome::Kind kind, Status status) {
  device.deadline.reset();
  outcomes_.push_back(
      {.name = device.what.name, .kind = kind, .status = status, .problem = device.problem});
  device.problem.clear();
}

std::optional<PlugOutcome> HotPlug::next_outcome() {
  if (outcomes_.empty()) return std::nullopt;
  PlugOutcome outcome = std::move(outcomes_.front());
  outcomes_.pop_front();
  return outcome;
}

HotPlug::Device* HotPlug::find(std::string_view name) {
  const auto found = std::find_if(devices_.begin(), devices_.end(), [&](const Device& device) {
    return device.what.name == name && device.step != Step::Forgotten;
  });
  return found == devices_.end() ? nullptr : &*found;
}

}  // namespace cede::qemu
