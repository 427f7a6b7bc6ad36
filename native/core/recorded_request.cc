#include "recorded_request.h"

#include <linux/genetlink.h>
#include <linux/rtnetlink.h>

#include <array>
#include <cstring>
#include <string_view>
#include <utility>

#include "attribute.h"
#include "netlink_message.h"
#include "vdpa_abi.h"

namespace vdpa {
namespace {

/// The rest of a longer name, with prefix and suffix, is a file name of at most 255 bytes.
constexpr std::size_t kLongestNamePart = 200;

constexpr std::array kRequestFields = {
    Row<RecordedRequest, &RecordedRequest::mgmt_bus>(kAttrMgmtDevBusName),
    Row<RecordedRequest, &RecordedRequest::mgmt_name>(kAttrMgmtDevName),
    Row<RecordedRequest, &RecordedRequest::name>(kAttrDevName),
    Row<RecordedRequest, &RecordedRequest::queue_index>(kAttrQueueIndex),
};

std::string DevicePath(std::string_view prefix, std::string_view name, std::string_view suffix) {
  // A name with a slash is no device's name, and must not lead out of the directory.
  if (name.empty() || name.contains('/')) return {};
  std::string path = "netlink/";
  path.append(prefix).append(name.substr(0, kLongestNamePart));
  if (name.size() > kLongestNamePart) path.append("/").append(name.substr(kLongestNamePart));
  return path.append(suffix).append(".bin");
}

}  // namespace

Result<RecordedRequest> ParseRecordedNames(std::span<const std::byte> attributes) {
  return ParseRecord<RecordedRequest>("recording", kRequestFields, attributes);
}

Result<RecordedRequest> ParseRecordedRequest(std::span<const std::byte> bytes) {
  MessageReader messages(bytes);
  const auto message = messages.Next();
  if (!message) return Malformed("recording", "a request that is no message");
  RecordedRequest request;
  std::memcpy(&request.header, message->bytes.data(), sizeof(request.header));
  if (request.header.nlmsg_type == RTM_GETLINK || message->payload.size() < GENL_HDRLEN) {
    return request;
  }
  request.command = std::to_integer<std::uint8_t>(message->payload[0]);
  if (request.header.nlmsg_type == GENL_ID_CTRL) return request;
  auto named = ParseRecordedNames(message->payload.subspan(GENL_HDRLEN));
  if (!named) return std::unexpected(std::move(named.error()));
  named->header = request.header;
  named->command = request.command;
  return named;
}

std::string AnswerPath(const RecordedRequest& request) {
  if (request.header.nlmsg_type == RTM_GETLINK) return kLinkDumpFile;
  if (request.header.nlmsg_type == GENL_ID_CTRL) return kFamilyFile;
  switch (request.command) {
    case kMgmtDevGet:
      return request.IsDump() ? kMgmtDevDumpFile : std::string();
    case kDevGet:
      if (request.IsDump()) return kDevDumpFile;
      return request.name == "dump" ? std::string() : DevicePath("dev-", request.name, "");
    case kDevConfigGet:
      return request.IsDump() ? std::string() : DevicePath("config-", request.name, "");
    case kDevVstatsGet:
      return DevicePath("vstats-", request.name, "-" + std::to_string(request.queue_index));
    default:
      return {};
  }
}

}  // namespace vdpa
