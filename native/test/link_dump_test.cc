#include "../core/link_dump.h"

#include <doctest/doctest.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include <string>

#include "../core/netlink_socket.h"
#include "support/scripted_channel.h"

using namespace vdpa;
using namespace vdpa::test;

namespace {

Bytes LinkPayload(int ifindex, const Bytes& attributes) {
  ifinfomsg header{};
  header.ifi_index = ifindex;
  return Join({Raw(header), attributes});
}

Bytes LinkMessage(int ifindex, std::string_view name, std::uint16_t flags = NLM_F_MULTI) {
  return Message(RTM_NEWLINK, flags, LinkPayload(ifindex, TextAttr(IFLA_IFNAME, name)));
}

std::string Text(const Bytes& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Bytes Representor() {
  return LinkPayload(
      7, Join({TextAttr(IFLA_IFNAME, "eth4_0"), Attr(IFLA_ADDRESS, FromHex("0242ac110002")),
               IntAttr(IFLA_MTU, 1500U), Attr(IFLA_PHYS_SWITCH_ID, FromHex("00a1ff0c")),
               TextAttr(IFLA_PHYS_PORT_NAME, "pf0vf3"), Attr(IFLA_AF_SPEC, Bytes(8)),
               TextAttr(IFLA_PARENT_DEV_NAME, "0000:65:00.0"),
               TextAttr(IFLA_PARENT_DEV_BUS_NAME, "pci")}));
}

}  // namespace

TEST_CASE("a representor, with its switch, port and parent") {
  const auto link = ParseLink(Representor());
  REQUIRE(link);
  CHECK(*link == Link{"eth4_0", 7, MacAddress{2, 0x42, 0xac, 0x11, 0, 2}, "00a1ff0c", "pf0vf3",
                      "pci", "0000:65:00.0"});
}

TEST_CASE("a hardware address that is not six bytes is no MAC address") {
  for (const std::size_t size : {0U, 4U, 8U, 20U}) {
    const auto link = ParseLink(
        LinkPayload(1, Join({TextAttr(IFLA_IFNAME, "ib0"), Attr(IFLA_ADDRESS, Bytes(size))})));
    REQUIRE(link);
    CHECK_FALSE(link->mac);
  }
}

TEST_CASE("a link message cut short at every byte") {
  const auto whole = Representor();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const Bytes cut(whole.begin(), whole.begin() + static_cast<long>(size));
    const auto link = ParseLink(cut);
    if (link) CHECK(link->name == "eth4_0");
    if (!link) CHECK(link.error().fault == Fault::kMalformed);
  }
}

TEST_CASE("the dump asks for no statistics and no VFs, and gathers all parts") {
  const auto script = std::make_shared<Script>();
  script->Answer({{Join({LinkMessage(1, "lo"), Message(RTM_NEWLINK, NLM_F_MULTI, Representor())})},
                  {LinkMessage(9, "veth0")},
                  {Done()}});
  const auto dump = ReadLinks(FactoryOf(script), Soon());
  REQUIRE(dump);
  CHECK(dump->links.size() == 3);
  CHECK(dump->names_parents);
  CHECK(dump->consistent);
  const auto& request = script->requests.front();
  CHECK(HeaderOf(request).nlmsg_type == RTM_GETLINK);
  CHECK(Bytes(request.begin() + 32, request.end()) ==
        IntAttr(IFLA_EXT_MASK, std::uint32_t{RTEXT_FILTER_SKIP_STATS}));
}

TEST_CASE("a kernel that names no parents is told from one that does") {
  const auto script = std::make_shared<Script>();
  script->Answer({{Join({LinkMessage(1, "lo"), LinkMessage(2, "eth0"), Done()})}});
  CHECK_FALSE(ReadLinks(FactoryOf(script), Soon())->names_parents);
}

TEST_CASE("an interrupted dump is made again, without the rows of the first") {
  const auto script = std::make_shared<Script>();
  script->Answer({{LinkMessage(1, "lo", NLM_F_MULTI | NLM_F_DUMP_INTR)}, {Done()}})
      .Answer({{Join({LinkMessage(1, "lo"), LinkMessage(2, "eth0"), Done()})}});
  const auto dump = ReadLinks(FactoryOf(script), Soon());
  REQUIRE(dump);
  CHECK(dump->links.size() == 2);
  CHECK(dump->consistent);
  CHECK(script->opened == 1);
}

TEST_CASE("a list that never stands still is given as it is, and said to be so") {
  const auto script = std::make_shared<Script>();
  for (int i = 0; i < 3; ++i) {
    script->Answer({{LinkMessage(1, "lo", NLM_F_MULTI | NLM_F_DUMP_INTR)}, {Done()}});
  }
  const auto dump = ReadLinks(FactoryOf(script), Soon());
  REQUIRE(dump);
  CHECK(dump->links.size() == 1);
  CHECK_FALSE(dump->consistent);
  CHECK(script->requests.size() == 3);
}

TEST_CASE("a lost answer is not taken for an interrupted dump") {
  const auto script = std::make_shared<Script>();
  script->Answer({{.bytes = {}, .error = Error{Fault::kLost, "receive", ENOBUFS}}});
  CHECK(ReadLinks(FactoryOf(script), Soon()).error().fault == Fault::kLost);
  CHECK(script->requests.size() == 1);
}

TEST_CASE("this machine's own links") {
  const auto dump = ReadLinks([] { return NetlinkSocket::Open(NetlinkProtocol::kRoute); }, Soon());
  REQUIRE(dump);
  bool loopback = false;
  for (const auto& link : dump->links) loopback |= link.name == "lo" && link.ifindex == 1;
  CHECK(loopback);
}

TEST_CASE("of a dump that is recorded only what is read is kept") {
  const auto link = [](int ifindex, const Bytes& attributes) {
    ifinfomsg header{};
    header.ifi_index = ifindex;
    return Message(RTM_NEWLINK, NLM_F_MULTI, Join({Raw(header), attributes}));
  };
  const Bytes alias = TextAttr(IFLA_IFALIAS, "free text");
  const Bytes port =
      link(2, Join({TextAttr(IFLA_IFNAME, "p0"), alias, Attr(IFLA_ADDRESS, FromHex("020000000001")),
                    Attr(IFLA_PHYS_SWITCH_ID, FromHex("a1b2")), TextAttr(IFLA_PHYS_PORT_NAME, "p0"),
                    TextAttr(IFLA_PARENT_DEV_NAME, "0000:11:00.0"),
                    TextAttr(IFLA_PARENT_DEV_BUS_NAME, "pci")}));
  const Bytes tap = link(3, Join({TextAttr(IFLA_IFNAME, "tap0"), alias}));

  const auto both = Text(ReduceLinks(Join({port, tap, Done()})));
  CHECK_FALSE(both.contains("free text"));
  CHECK_FALSE(both.contains("tap0"));
  // A kernel that names no parents leaves it to sysfs to tell which is which.
  const auto alone = Text(ReduceLinks(Join({tap, Done()})));
  CHECK(alone.contains("tap0"));
  CHECK_FALSE(alone.contains("free text"));

  MessageReader messages(std::as_bytes(std::span(both)));
  const auto kept = messages.Next();
  REQUIRE(kept);
  CHECK(ParseLink(kept->payload).value() == ParseLink(PayloadOf(port)).value());
  CHECK(messages.Next()->type == NLMSG_DONE);
  CHECK(messages.End());
}
