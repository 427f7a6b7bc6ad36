#include "replay_channel.h"

#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include "netlink_message.h"
#include "recorded_request.h"
#include "vdpa_abi.h"

namespace vdpa {
namespace {

using Bytes = std::vector<std::byte>;

using Request = RecordedRequest;

// What is recorded of one host is given to another conversation: its own sequence number and, for
// a generic message, the family id it asked with.
void Append(Bytes& answer, const Request& request, std::span<const std::byte> message,
            std::uint16_t cleared_flags = 0) {
  nlmsghdr header{};
  std::memcpy(&header, message.data(), sizeof(header));
  header.nlmsg_seq = request.header.nlmsg_seq;
  header.nlmsg_pid = request.header.nlmsg_pid;
  header.nlmsg_flags = static_cast<std::uint16_t>(header.nlmsg_flags & ~cleared_flags);
  if (header.nlmsg_type >= NLMSG_MIN_TYPE && request.header.nlmsg_type != RTM_GETLINK) {
    header.nlmsg_type = request.header.nlmsg_type;
  }
  const auto head = std::as_bytes(std::span(&header, 1));
  answer.insert(answer.end(), head.begin(), head.end());
  answer.insert(answer.end(), message.begin() + sizeof(header), message.end());
  answer.resize(NLMSG_ALIGN(answer.size()));
}

Bytes ErrorAnswer(const Request& request, int errno_value) {
  const nlmsgerr error{-errno_value, request.header};
  Bytes answer;
  Append(answer, request,
         BuildMessage(NLMSG_ERROR, NLM_F_CAPPED, std::as_bytes(std::span(&error, 1)), {}));
  return answer;
}

Bytes EmptyDump(const Request& request) {
  const std::int32_t status = 0;
  Bytes answer;
  Append(answer, request,
         BuildMessage(NLMSG_DONE, NLM_F_MULTI, std::as_bytes(std::span(&status, 1)), {}));
  return answer;
}

struct RecordedFile {
  bool there = false;
  Bytes bytes = {};
};

Result<RecordedFile> ReadIfThere(const RecordingReader& read, const std::string& path) {
  auto bytes = read(path);
  if (bytes) return RecordedFile{true, *std::move(bytes)};
  if (bytes.error().errno_value == ENOENT) return RecordedFile{};
  return std::unexpected(bytes.error());
}

// A whole file as the answer; broken recordings are the recording's error, not an answer's.
Result<Bytes> Rewrite(const Request& request, std::span<const std::byte> file) {
  Bytes answer;
  MessageReader messages(file);
  while (auto message = messages.Next()) Append(answer, request, message->bytes);
  auto walked = messages.End();
  if (!walked) return std::unexpected(walked.error());
  return answer;
}

bool Shows(const Request& request, std::span<const std::byte> attributes) {
  const auto shown = ParseRecordedNames(attributes);
  if (!shown) return false;
  if (request.command == kMgmtDevGet) {
    return shown->mgmt_bus == request.mgmt_bus && shown->mgmt_name == request.mgmt_name;
  }
  return shown->name == request.name;
}

// The one message of a dump that the request names; empty when there is none.
Result<Bytes> FindInDump(const RecordingReader& read, const Request& request,
                         const std::string& path) {
  auto file = ReadIfThere(read, path);
  if (!file) return std::unexpected(file.error());
  MessageReader messages(file->bytes);
  while (auto message = messages.Next()) {
    const auto payload = message->payload;
    if (message->type < NLMSG_MIN_TYPE || payload.size() < GENL_HDRLEN) continue;
    if (!Shows(request, payload.subspan(GENL_HDRLEN))) continue;
    Bytes answer;
    Append(answer, request, message->bytes, NLM_F_MULTI);
    return answer;
  }
  auto walked = messages.End();
  if (!walked) return std::unexpected(walked.error());
  return Bytes{};
}

Result<Bytes> AnswerDump(const RecordingReader& read, const Request& request) {
  auto file = ReadIfThere(read, AnswerPath(request));
  if (!file) return std::unexpected(file.error());
  return file->there ? Rewrite(request, file->bytes) : EmptyDump(request);
}

// From a file of its own; else from the dump, when there the same message is the answer.
Result<Bytes> AnswerOne(const RecordingReader& read, const Request& request) {
  const std::string path = AnswerPath(request);
  if (!path.empty()) {
    auto file = ReadIfThere(read, path);
    if (!file) return std::unexpected(file.error());
    if (file->there) return Rewrite(request, file->bytes);
  }
  auto found =
      FindInDump(read, request, request.command == kMgmtDevGet ? kMgmtDevDumpFile : kDevDumpFile);
  if (!found) return found;
  if (found->empty()) return ErrorAnswer(request, ENODEV);
  const bool same = request.command == kDevGet || request.command == kMgmtDevGet;
  return same ? *std::move(found) : ErrorAnswer(request, EOPNOTSUPP);
}

Result<Bytes> AnswerVdpa(const RecordingReader& read, const Request& request) {
  switch (request.command) {
    case kMgmtDevGet:
    case kDevGet:
      return request.IsDump() ? AnswerDump(read, request) : AnswerOne(read, request);
    case kDevConfigGet:
      return request.IsDump() ? ErrorAnswer(request, EOPNOTSUPP) : AnswerOne(read, request);
    case kDevVstatsGet:
      return AnswerOne(read, request);
    case kDevNew:
    case kDevDel:
    case kDevAttrSet:
      return ErrorAnswer(request, EROFS);
    default:
      return ErrorAnswer(request, EOPNOTSUPP);
  }
}

Result<Bytes> Answer(const RecordingReader& read, std::span<const std::byte> bytes) {
  Request request;
  if (bytes.size() < sizeof(request.header)) {
    return Malformed("replay", "a request that is no message");
  }
  std::memcpy(&request.header, bytes.data(), sizeof(request.header));
  auto parsed = ParseRecordedRequest(bytes);
  if (!parsed) return ErrorAnswer(request, EINVAL);
  request = *std::move(parsed);
  if (request.header.nlmsg_type == RTM_GETLINK) return AnswerDump(read, request);

  auto family = ReadIfThere(read, kFamilyFile);
  if (!family) return std::unexpected(family.error());
  if (!family->there) return ErrorAnswer(request, ENOENT);
  if (request.header.nlmsg_type == GENL_ID_CTRL) return Rewrite(request, family->bytes);
  return AnswerVdpa(read, request);
}

}  // namespace

Result<void> ReplayChannel::Send(std::span<const std::byte> request, Deadline /*deadline*/) {
  answer_.clear();
  taken_ = 0;
  auto answer = Answer(read_, request);
  if (!answer) return std::unexpected(answer.error());
  answer_ = *std::move(answer);
  return {};
}

Result<Datagram> ReplayChannel::Receive(std::span<std::byte> buffer, Deadline /*deadline*/) {
  const auto rest = std::span(answer_).subspan(taken_);
  if (rest.empty()) {
    return std::unexpected(
        Error{Fault::kTimeout, "replay", ETIMEDOUT, "the recording has no more of this answer"});
  }
  // Whole messages only, as the kernel fills its parts. The answer is our own: it can be walked.
  MessageReader messages(rest);
  std::size_t size = 0;
  while (auto message = messages.Next()) {
    const std::size_t next = size + NLMSG_ALIGN(message->bytes.size());
    if (size != 0 && next > buffer.size()) break;
    size = next;
  }
  taken_ += size;
  const std::size_t given = std::min(size, buffer.size());
  std::ranges::copy(rest.first(given), buffer.begin());
  return Datagram{buffer.first(given), 0, given < size};
}

}  // namespace vdpa
