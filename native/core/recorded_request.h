// What a netlink request asks for, and which file of a recording has the answer.
#pragma once

#include <linux/netlink.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "result.h"

namespace vdpa {

inline constexpr const char* kFamilyFile = "netlink/getfamily.bin";
inline constexpr const char* kMgmtDevDumpFile = "netlink/mgmtdev-dump.bin";
inline constexpr const char* kDevDumpFile = "netlink/dev-dump.bin";
inline constexpr const char* kLinkDumpFile = "netlink/link-dump.bin";

/// One request, and what a recording needs of it.
struct RecordedRequest {
  nlmsghdr header = {};
  std::uint8_t command = 0;  ///< of a generic message
  // The names that requests carry.
  std::string mgmt_bus = {};
  std::string mgmt_name = {};
  std::string name = {};
  std::uint32_t queue_index = 0;

  bool IsDump() const { return (header.nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP; }
};

/// Reads the header alone of what is no generic message: a link dump has no more to it.
Result<RecordedRequest> ParseRecordedRequest(std::span<const std::byte> bytes);

/// Takes from a run of attributes what names a thing, of a request or of its answer.
Result<RecordedRequest> ParseRecordedNames(std::span<const std::byte> attributes);

/// The file, below a host's root, for the answer to this very request; empty when there is none
/// for it. Injective: `dev-dump.bin` is the list, so a device called "dump" has no file, and a name
/// too long for a file's goes on below a directory.
std::string AnswerPath(const RecordedRequest& request);

}  // namespace vdpa
