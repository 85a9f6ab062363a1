// SPDX-License-Identifier: Apache-2.0
#include "frontend/vhost_user/message_reader.h"

#include "protocols/posix/channel.h"

namespace cede::vhost_user {

namespace {

struct Shape {
  std::size_t min_bytes = 0;
  std::size_t max_bytes = 0;
  std::size_t max_fds = 0;
};

Shape shape_of(Request request) noexcept {
  switch (request) {
    case Request::GetFeatures:
    case Request::SetOwner:
    case Request::ResetOwner:
    case Request::GetProtocolFeatures:
    case Request::GetQueueNum:
    case Request::GetMaxMemSlots:
    case Request::GetStatus:
      return {0, 0, 0};
    case Request::SetFeatures:
    case Request::SetProtocolFeatures:
    case Request::SetMtu:
    case Request::SetStatus:
      return {8, 8, 0};
    case Request::SetVringKick:
    case Request::SetVringCall:
    case Request::SetVringErr:
      return {8, 8, 1};
    case Request::SetVringNum:
    case Request::SetVringBase:
    case Request::GetVringBase:
    case Request::SetVringEnable:
      return {sizeof(VringState), sizeof(VringState), 0};
    case Request::SetVringAddr:
      return {sizeof(VringAddress), sizeof(VringAddress), 0};
    case Request::SetMemTable:
      return {sizeof(MemoryTableHeader),
              sizeof(MemoryTableHeader) + kMaxTableRegions * sizeof(MemoryRegion),
              kMaxTableRegions};
    case Request::AddMemReg:
    case Request::RemMemReg:  // "a back-end MUST accept messages with one file descriptor"
      return {sizeof(SingleRegion), sizeof(SingleRegion), 1};
    case Request::GetConfig:
    case Request::SetConfig:
      return {sizeof(ConfigHeader), sizeof(ConfigHeader) + kMaxConfigBytes, 0};
    case Request::GetInflightFd:
      return {InflightDescription::kShortBytes, sizeof(InflightDescription), 0};
    case Request::SetInflightFd:
      return {InflightDescription::kShortBytes, sizeof(InflightDescription), 1};
  }
  return {0, kMaxPayload, 0};
}

}  // namespace

Status check_shape(const Header& header, std::size_t fds) noexcept {
  if ((header.flags & Header::kVersionMask) != Header::kVersion ||
      (header.flags & Header::kReply) != 0) {
    return Status::Broken;
  }
  const Shape shape = shape_of(header.request);
  const bool fits = header.size >= shape.min_bytes && header.size <= shape.max_bytes &&
                    fds <= shape.max_fds && header.size <= kMaxPayload;
  return fits ? Status::Ok : Status::Broken;
}

Status MessageReader::read(int socket, Message& message) noexcept {
  constexpr std::size_t kHeader = sizeof(Header);
  if (received_ == 0) {
    for (std::size_t i = 0; i < message.fd_count; ++i) message.fds[i].reset();
    message.fd_count = 0;
  }
  // Never past the end of a message: the next one's descriptors would be taken for this one's.
  while (received_ < kHeader) {
    const auto header = std::as_writable_bytes(std::span(&message.header, 1));
    const Status status = receive(socket, header.subspan(received_), message);
    if (status != Status::Ok) return status;
    if (received_ == kHeader && check_shape(message.header, message.fd_count) != Status::Ok) {
      return Status::Broken;
    }
  }
  while (received_ < kHeader + message.header.size) {
    const auto payload = std::span(message.payload).first(message.header.size);
    const Status status = receive(socket, payload.subspan(received_ - kHeader), message);
    if (status != Status::Ok) return status;
  }
  received_ = 0;
  return check_shape(message.header, message.fd_count);
}

Status MessageReader::receive(int socket, std::span<std::byte> into, Message& message) noexcept {
  Result<Packet> packet = receive_packet(socket, into, kMaxMessageFds);
  if (!packet) return packet.status();
  if (packet->bytes == 0) return Status::Gone;
  if (packet->excess_fds) return Status::Broken;
  for (std::size_t i = 0; i < packet->fd_count; ++i) {
    if (message.fd_count == kMaxMessageFds) return Status::Broken;
    message.fds[message.fd_count++] = std::move(packet->fds[i]);
  }
  received_ += packet->bytes;
  return Status::Ok;
}

}  // namespace cede::vhost_user
