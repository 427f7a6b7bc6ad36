// Bytes for tests: from hex, and netlink messages put together by hand.
#pragma once

#include <linux/genetlink.h>
#include <linux/netlink.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "../../core/netlink_message.h"

namespace vdpa::test {

using Bytes = std::vector<std::byte>;

inline Bytes FromHex(std::string_view hex) {
  Bytes bytes;
  int high = -1;
  for (const char c : hex) {
    if (c == ' ' || c == '\n') continue;
    const int digit = c <= '9' ? c - '0' : c - 'a' + 10;
    if (high < 0) {
      high = digit;
    } else {
      bytes.push_back(static_cast<std::byte>(high * 16 + digit));
      high = -1;
    }
  }
  return bytes;
}

inline Bytes FromText(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

template <typename T>
Bytes Raw(const T& value) {
  const auto bytes = std::as_bytes(std::span(&value, 1));
  return {bytes.begin(), bytes.end()};
}

inline Bytes Join(std::initializer_list<Bytes> parts) {
  Bytes all;
  for (const auto& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

/// One attribute with any payload, padded.
inline Bytes Attr(std::uint16_t type, const Bytes& payload) {
  Bytes bytes = Join({Raw(nlattr{static_cast<std::uint16_t>(4 + payload.size()), type}), payload});
  bytes.resize((bytes.size() + 3) / 4 * 4);
  return bytes;
}

template <typename T>
Bytes IntAttr(std::uint16_t type, T value) {
  return Attr(type, Raw(value));
}

inline Bytes TextAttr(std::uint16_t type, std::string_view text) {
  return Attr(type, Join({FromText(text), Bytes(1)}));
}

inline Bytes Message(std::uint16_t type, std::uint16_t flags, const Bytes& payload) {
  return BuildMessage(type, flags, {}, payload);
}

inline Bytes GenlReply(std::uint16_t family, std::uint8_t command, const Bytes& attributes,
                       std::uint16_t flags = 0) {
  return Message(family, flags, Join({Raw(genlmsghdr{command, 1, 0}), attributes}));
}

/// An answer to a request with CAP_ACK: error 0 is success.
inline Bytes Ack(int error, const Bytes& extended = {}) {
  const auto flags = NLM_F_CAPPED | (extended.empty() ? 0 : NLM_F_ACK_TLVS);
  return Message(NLMSG_ERROR, static_cast<std::uint16_t>(flags),
                 Join({Raw(nlmsgerr{-error, {}}), extended}));
}

inline Bytes Done(int error = 0, std::uint16_t flags = NLM_F_MULTI) {
  return Message(NLMSG_DONE, flags, Raw(std::int32_t{-error}));
}

inline std::span<const std::byte> PayloadOf(const Bytes& message) {
  return std::span(message).subspan(sizeof(nlmsghdr));
}

inline std::span<const std::byte> GenlAttributesOf(std::span<const std::byte> message) {
  return message.subspan(sizeof(nlmsghdr) + GENL_HDRLEN);
}

inline nlmsghdr HeaderOf(std::span<const std::byte> message) {
  nlmsghdr header{};
  std::memcpy(&header, message.data(), sizeof(header));
  return header;
}

inline std::uint8_t CommandOf(std::span<const std::byte> message) {
  return std::to_integer<std::uint8_t>(message[sizeof(nlmsghdr)]);
}

}  // namespace vdpa::test
