#include "recording_channel.h"

#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <cerrno>
#include <cstring>

#include "link_dump.h"
#include "netlink_message.h"
#include "vdpa_abi.h"

namespace vdpa {
namespace {

std::string TextOf(std::span<const std::byte> bytes) {
  std::string text(bytes.size(), '\0');
  std::memcpy(text.data(), bytes.data(), bytes.size());
  return text;
}

/// Of one conversation among many: its numbers mean nothing in a recording.
void Append(std::vector<std::byte>& answer, const NetlinkMessage& message) {
  nlmsghdr header{};
  std::memcpy(&header, message.bytes.data(), sizeof(header));
  header.nlmsg_seq = 0;
  header.nlmsg_pid = 0;
  const auto head = std::as_bytes(std::span(&header, 1));
  answer.insert(answer.end(), head.begin(), head.end());
  answer.insert(answer.end(), message.bytes.begin() + sizeof(header), message.bytes.end());
  answer.resize(NLMSG_ALIGN(answer.size()));
}

/// The errno with which a message ends an exchange; nothing while there is more to come.
std::optional<int> EndOf(const NetlinkMessage& message, const RecordedRequest& request) {
  switch (message.type) {
    case NLMSG_ERROR: {
      const auto parsed = ParseAcknowledgement(message);
      const int errno_value = parsed ? parsed->errno_value : EBADMSG;
      // A dump that started is not over at an acknowledgement of its start.
      if (request.IsDump() && errno_value == 0) return std::nullopt;
      return errno_value;
    }
    case NLMSG_DONE: {
      const auto parsed = ParseDone(message);
      return parsed ? parsed->errno_value : EBADMSG;
    }
    default:
      return request.IsDump() || (request.header.nlmsg_flags & NLM_F_ACK) != 0 ? std::nullopt
                                                                               : std::optional(0);
  }
}

bool IsChange(std::uint8_t command) {
  return command == kDevNew || command == kDevDel || command == kDevAttrSet;
}

}  // namespace

Result<void> RecordingChannel::Send(std::span<const std::byte> request, Deadline deadline) {
  request_.reset();
  answer_.clear();
  auto parsed = ParseRecordedRequest(request);
  if (parsed && (parsed->header.nlmsg_type == GENL_ID_CTRL ||
                 parsed->header.nlmsg_type == RTM_GETLINK || !IsChange(parsed->command))) {
    request_ = *std::move(parsed);
    // Should the new answer get lost, an old one is none to it.
    const std::string path = AnswerPath(*request_);
    if (!path.empty()) recording_->Forget(path);
  }
  return channel_->Send(request, deadline);
}

Result<Datagram> RecordingChannel::Receive(std::span<std::byte> buffer, Deadline deadline) {
  auto datagram = channel_->Receive(buffer, deadline);
  if (datagram && datagram->sender_port == 0) {
    if (datagram->truncated) request_.reset();
    Take(datagram->bytes);
  }
  return datagram;
}

void RecordingChannel::Take(std::span<const std::byte> datagram) {
  MessageReader messages(datagram);
  while (const auto message = messages.Next()) {
    if (!request_) return;
    if (message->sequence != request_->header.nlmsg_seq || message->type == NLMSG_NOOP) continue;
    if (message->type == NLMSG_OVERRUN) {
      request_.reset();
      return;
    }
    Append(answer_, *message);
    const std::optional<int> end = EndOf(*message, *request_);
    if (!end) continue;
    Keep(*request_, *end);
    request_.reset();
  }
}

void RecordingChannel::Keep(const RecordedRequest& request, int errno_value) const {
  if (request.header.nlmsg_type == RTM_GETLINK) {
    recording_->KeepAnswer(kLinkDumpFile, TextOf(ReduceLinks(answer_)));
    return;
  }
  const bool single = request.header.nlmsg_type != GENL_ID_CTRL && !request.IsDump() &&
                      (request.command == kDevGet || request.command == kMgmtDevGet);
  if (single) {
    KeepOne(request, errno_value);
    return;
  }
  const std::string path = AnswerPath(request);
  if (!path.empty()) recording_->KeepAnswer(path, TextOf(answer_));
}

void RecordingChannel::KeepOne(const RecordedRequest& request, int errno_value) const {
  const bool device = request.command == kDevGet;
  if (errno_value == 0) {
    AppendToList(device ? kDevDumpFile : kMgmtDevDumpFile);
  } else if (errno_value == ENODEV && device) {
    // It went after the bus was listed.
    recording_->Forget("sys/bus/vdpa/devices/" + request.name);
  }
}

void RecordingChannel::AppendToList(const std::string& path) const {
  const std::string text = recording_->Answer(path);
  const auto list = std::as_bytes(std::span(text));
  std::vector<std::byte> longer;
  MessageReader messages(list);
  while (const auto message = messages.Next()) {
    if (message->type != NLMSG_DONE) Append(longer, *message);
  }
  longer.insert(longer.end(), answer_.begin(), answer_.end());
  const std::int32_t status = 0;
  const auto end = BuildMessage(NLMSG_DONE, NLM_F_MULTI, std::as_bytes(std::span(&status, 1)), {});
  longer.insert(longer.end(), end.begin(), end.end());
  recording_->KeepAnswer(path, TextOf(longer));
}

}  // namespace vdpa
