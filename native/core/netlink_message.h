// The framing every netlink protocol shares: messages in a datagram, acknowledgements, ends of
// dumps.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "result.h"

namespace vdpa {

struct NetlinkMessage {
  std::uint16_t type = 0;
  std::uint16_t flags = 0;
  std::uint32_t sequence = 0;
  std::span<const std::byte> payload;  ///< without the netlink header
  std::span<const std::byte> bytes;    ///< with it
};

/// Walks the messages of one datagram.
class MessageReader {
 public:
  explicit MessageReader(std::span<const std::byte> datagram) : rest_(datagram) {}

  /// The next message; nothing at the end or when what follows is no message.
  std::optional<NetlinkMessage> Next();

  /// To be asked after the last Next: whether that was the end of the datagram.
  Result<void> End() const;

 private:
  std::span<const std::byte> rest_;
};

/// What the kernel says at the end of an exchange: of success or failure, with its own words.
struct Acknowledgement {
  int errno_value = 0;  ///< positive; 0 = done
  std::string message;  ///< extended acknowledgement; success can carry one too
  std::optional<std::uint32_t> attribute_offset;

  bool operator==(const Acknowledgement&) const = default;
};

/// NLMSG_ERROR: the answer to a request with NLM_F_ACK, and to every refused one.
Result<Acknowledgement> ParseAcknowledgement(const NetlinkMessage& message);

/// NLMSG_DONE: a dump carries its outcome here.
Result<Acknowledgement> ParseDone(const NetlinkMessage& message);

/// A complete request: header, the family's fixed header, attributes. The sequence number is 0; the
/// conversation that sends it puts its own.
std::vector<std::byte> BuildMessage(std::uint16_t type, std::uint16_t flags,
                                    std::span<const std::byte> fixed_header,
                                    std::span<const std::byte> attributes);

/// Overwrites the sequence number of a whole message; nothing when it has no whole header.
void SetSequence(std::span<std::byte> message, std::uint32_t sequence);

}  // namespace vdpa
