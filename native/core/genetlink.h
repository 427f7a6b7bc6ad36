// Generic netlink over one channel: the family lookup, and requests to a family.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>

#include "netlink_channel.h"
#include "netlink_conversation.h"
#include "records.h"
#include "result.h"

namespace vdpa {

struct GenlRequest {
  std::string_view op;  ///< the command's name, for errors
  std::uint16_t family_id = 0;
  std::uint8_t command = 0;
  std::uint8_t version = 1;
  std::span<const std::byte> attributes = {};
};

struct GenlMessage {
  std::uint8_t command = 0;
  std::span<const std::byte> attributes;
};

using GenlVisitor = std::function<Result<void>(const GenlMessage&)>;

/// Reads the reply of CTRL_CMD_GETFAMILY.
Result<VdpaAbi> ParseFamily(std::span<const std::byte> attributes);

/// Used by one thread at a time.
class Genetlink {
 public:
  explicit Genetlink(std::unique_ptr<NetlinkChannel> channel) : conversation_(std::move(channel)) {}

  /// GETFAMILY; Fault::kNoFamily when there is none. A miss makes the kernel run modprobe, so look
  /// in sysfs first. Its large receive also primes the socket for large dumps.
  Result<VdpaAbi> ResolveFamily(std::string_view name, Deadline deadline);

  /// A read: ends at the one reply, no acknowledgement asked for.
  Result<void> Get(const GenlRequest& request, Deadline deadline, const GenlVisitor& visit);

  /// A change: ends at the acknowledgement. Success can come with words that mean failure (the
  /// kernel's ATTR_SET), so they are returned.
  Result<Acknowledgement> Change(const GenlRequest& request, Deadline deadline);

  /// A dump, one call per message. See NetlinkConversation::Dump.
  Result<void> Dump(const GenlRequest& request, Deadline deadline, const GenlVisitor& visit);

  /// False when the channel is to be thrown away.
  bool Usable() const { return conversation_.Usable(); }

 private:
  NetlinkConversation conversation_;
};

}  // namespace vdpa
