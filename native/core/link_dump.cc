#include "link_dump.h"

#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <utility>

#include "attribute.h"
#include "netlink_conversation.h"

namespace vdpa {
namespace {

constexpr auto kOp = "GETLINK";
constexpr int kAttempts = 3;

constexpr std::array kLinkFields = {
    Row<Link, &Link::name>(IFLA_IFNAME, Presence::kRequired),
    Row<Link, &Link::phys_port_name>(IFLA_PHYS_PORT_NAME),
    Row<Link, &Link::parent_name>(IFLA_PARENT_DEV_NAME),
    Row<Link, &Link::parent_bus>(IFLA_PARENT_DEV_BUS_NAME),
};

std::string Hex(std::span<const std::byte> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const std::byte byte : bytes) {
    const auto value = std::to_integer<unsigned>(byte);
    text += kDigits[value >> 4U];
    text += kDigits[value & 15U];
  }
  return text;
}

// What the kernel sends in the form of bytes without a fixed size.
void ReadOther(AttributeReader& reader, const Attribute& from, Link& into) {
  if (from.type == IFLA_PHYS_SWITCH_ID) {
    into.phys_switch_id = Hex(from.payload);
  } else if (from.type == IFLA_ADDRESS && from.payload.size() == MacAddress{}.size()) {
    reader.Read(from, into.mac);
  }
}

constexpr std::array kOtherAttributes = {std::uint16_t{IFLA_PHYS_SWITCH_ID},
                                         std::uint16_t{IFLA_ADDRESS}};

/// Whether ParseLink reads it.
bool IsRead(std::uint16_t attribute) {
  return std::ranges::find(kLinkFields, attribute, &Field<Link>::attribute) != kLinkFields.end() ||
         std::ranges::find(kOtherAttributes, attribute) != kOtherAttributes.end();
}

std::vector<std::byte> ReduceLink(const NetlinkMessage& message) {
  const std::span<const std::byte> header = message.payload.first(sizeof(ifinfomsg));
  AttributeWriter kept;
  AttributeReader attributes(message.payload.subspan(sizeof(ifinfomsg)));
  while (const auto attribute = attributes.Next()) {
    if (IsRead(attribute->type)) kept.AddBytes(attribute->type, attribute->payload);
  }
  return BuildMessage(message.type, message.flags, header, kept.Bytes());
}

std::vector<std::byte> BuildRequest() {
  ifinfomsg header{};
  header.ifi_family = AF_UNSPEC;
  AttributeWriter attributes;
  attributes.Add(IFLA_EXT_MASK, std::uint32_t{RTEXT_FILTER_SKIP_STATS});
  return BuildMessage(RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, std::as_bytes(std::span(&header, 1)),
                      attributes.Bytes());
}

}  // namespace

Result<Link> ParseLink(std::span<const std::byte> payload) {
  ifinfomsg header{};
  if (payload.size() < sizeof(header)) return Malformed(kOp, "no interface header");
  std::memcpy(&header, payload.data(), sizeof(header));
  auto link = ParseRecord<Link>(kOp, kLinkFields, payload.subspan(sizeof(header)), ReadOther);
  if (link) link->ifindex = static_cast<std::uint32_t>(header.ifi_index);
  return link;
}

std::vector<std::byte> ReduceLinks(std::span<const std::byte> answer) {
  bool names_parents = false;
  MessageReader links(answer);
  while (const auto message = links.Next()) {
    if (message->type != RTM_NEWLINK) continue;
    const auto link = ParseLink(message->payload);
    names_parents |= link && !link->parent_name.empty();
  }

  std::vector<std::byte> reduced;
  const auto append = [&reduced](std::span<const std::byte> message) {
    reduced.insert(reduced.end(), message.begin(), message.end());
    reduced.resize(NLMSG_ALIGN(reduced.size()));
  };
  MessageReader messages(answer);
  while (const auto message = messages.Next()) {
    if (message->type != RTM_NEWLINK) {
      append(message->bytes);
      continue;
    }
    const auto link = ParseLink(message->payload);
    if (link && (!names_parents || !link->parent_name.empty())) append(ReduceLink(*message));
  }
  return reduced;
}

Result<LinkDump> ReadLinks(const ChannelFactory& open_route_channel, Deadline deadline) {
  auto channel = open_route_channel();
  if (!channel) return std::unexpected(channel.error());
  NetlinkConversation conversation(*std::move(channel));

  LinkDump dump;
  const MessageVisitor visit = [&dump](const NetlinkMessage& message) -> Result<void> {
    if (message.type != RTM_NEWLINK) return {};
    auto link = ParseLink(message.payload);
    if (!link) return std::unexpected(link.error());
    dump.names_parents |= !link->parent_name.empty();
    dump.links.push_back(*std::move(link));
    return {};
  };
  for (int attempt = 1;; ++attempt) {
    dump = {};
    auto done = conversation.Dump(kOp, BuildRequest(), deadline, visit);
    if (done) return dump;
    // Interrupted, but read to its end: unlike vdpa dumps, these tell.
    if (done.error().fault != Fault::kLost || !conversation.Usable()) {
      return std::unexpected(done.error());
    }
    if (attempt == kAttempts) {
      dump.consistent = false;
      return dump;
    }
  }
}

}  // namespace vdpa
