#include "link_dump.h"

#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

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
