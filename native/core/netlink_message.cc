#include "netlink_message.h"

#include <linux/netlink.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "attribute.h"

namespace vdpa {
namespace {

constexpr std::array kExtendedFields = {
    Row<Acknowledgement, &Acknowledgement::message>(NLMSGERR_ATTR_MSG),
    Row<Acknowledgement, &Acknowledgement::attribute_offset>(NLMSGERR_ATTR_OFFS),
};

// `status` is the kernel's int: 0 or a negative errno.
Result<Acknowledgement> ParseOutcome(const char* op, const NetlinkMessage& message,
                                     std::int32_t status, std::span<const std::byte> extended) {
  constexpr std::int32_t kMaxErrno = 4095;
  if (status > 0 || status < -kMaxErrno) {
    return Malformed(op, "status " + std::to_string(status));
  }
  Acknowledgement outcome;
  if ((message.flags & NLM_F_ACK_TLVS) != 0) {
    auto parsed = ParseRecord<Acknowledgement>(op, kExtendedFields, extended);
    if (!parsed) return parsed;
    outcome = *std::move(parsed);
  }
  outcome.errno_value = -status;
  return outcome;
}

}  // namespace

std::optional<NetlinkMessage> MessageReader::Next() {
  nlmsghdr header{};
  if (rest_.size() < sizeof(header)) return std::nullopt;
  std::memcpy(&header, rest_.data(), sizeof(header));
  if (header.nlmsg_len < sizeof(header) || header.nlmsg_len > rest_.size()) return std::nullopt;
  const auto bytes = rest_.first(header.nlmsg_len);
  const std::size_t padded = (std::size_t{header.nlmsg_len} + 3) & ~std::size_t{3};
  rest_ = rest_.subspan(std::min(padded, rest_.size()));
  return NetlinkMessage{header.nlmsg_type, header.nlmsg_flags, header.nlmsg_seq,
                        bytes.subspan(sizeof(header)), bytes};
}

Result<void> MessageReader::End() const {
  if (rest_.empty()) return {};
  return Malformed("netlink message", std::to_string(rest_.size()) + " bytes are no message");
}

Result<Acknowledgement> ParseAcknowledgement(const NetlinkMessage& message) {
  constexpr auto kOp = "netlink acknowledgement";
  nlmsgerr error{};
  if (message.payload.size() < sizeof(error)) return Malformed(kOp, "too short");
  std::memcpy(&error, message.payload.data(), sizeof(error));

  // The attributes lie behind the request that the kernel echoes: all of it, or, with NLM_F_CAPPED
  // (always so on success, whatever the socket option), its header alone.
  std::size_t skip = sizeof(error);
  if ((message.flags & NLM_F_CAPPED) == 0 && error.error != 0) {
    if (error.msg.nlmsg_len < sizeof(error.msg)) return Malformed(kOp, "echoes half a header");
    skip += (std::size_t{error.msg.nlmsg_len} - sizeof(error.msg) + 3) & ~std::size_t{3};
  }
  if ((message.flags & NLM_F_ACK_TLVS) != 0 && skip > message.payload.size()) {
    return Malformed(kOp, "cut short in the echoed request");
  }
  return ParseOutcome(kOp, message, error.error,
                      message.payload.subspan(std::min(skip, message.payload.size())));
}

Result<Acknowledgement> ParseDone(const NetlinkMessage& message) {
  constexpr auto kOp = "netlink end of dump";
  std::int32_t status = 0;
  if (message.payload.empty()) return Acknowledgement{};
  if (message.payload.size() < sizeof(status)) return Malformed(kOp, "too short");
  std::memcpy(&status, message.payload.data(), sizeof(status));
  return ParseOutcome(kOp, message, status, message.payload.subspan(sizeof(status)));
}

std::vector<std::byte> BuildMessage(std::uint16_t type, std::uint16_t flags,
                                    std::span<const std::byte> fixed_header,
                                    std::span<const std::byte> attributes) {
  nlmsghdr header{};
  header.nlmsg_len =
      static_cast<std::uint32_t>(sizeof(header) + fixed_header.size() + attributes.size());
  header.nlmsg_type = type;
  header.nlmsg_flags = flags;
  std::vector<std::byte> message(header.nlmsg_len);
  std::memcpy(message.data(), &header, sizeof(header));
  std::ranges::copy(fixed_header, message.begin() + sizeof(header));
  std::ranges::copy(attributes, message.end() - static_cast<std::ptrdiff_t>(attributes.size()));
  return message;
}

void SetSequence(std::span<std::byte> message, std::uint32_t sequence) {
  if (message.size() < sizeof(nlmsghdr)) return;
  std::memcpy(message.data() + offsetof(nlmsghdr, nlmsg_seq), &sequence, sizeof(sequence));
}

}  // namespace vdpa
