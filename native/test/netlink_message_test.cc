#include "../core/netlink_message.h"

#include <doctest/doctest.h>

#include "support/bytes.h"
#include "support/kernel_bytes.h"

using namespace vdpa;
using namespace vdpa::test;

namespace {

NetlinkMessage Only(const Bytes& datagram) {
  MessageReader reader(datagram);
  auto message = reader.Next();
  REQUIRE(message);
  REQUIRE_FALSE(reader.Next());
  REQUIRE(reader.End());
  return *message;
}

Bytes Extended(std::string_view text, std::uint32_t offset) {
  return Join({TextAttr(NLMSGERR_ATTR_MSG, text), IntAttr(NLMSGERR_ATTR_OFFS, offset)});
}

}  // namespace

TEST_CASE("a datagram is walked message by message") {
  const auto datagram = Join({Message(20, 1, Bytes(4)), Message(21, 2, Bytes(8)), Done()});
  MessageReader reader(datagram);
  CHECK(reader.Next()->type == 20);
  const auto second = reader.Next();
  CHECK(second->type == 21);
  CHECK(second->flags == 2);
  CHECK(second->payload.size() == 8);
  CHECK(reader.Next()->type == NLMSG_DONE);
  CHECK_FALSE(reader.Next());
  CHECK(reader.End());
}

TEST_CASE("a message length that leads outside ends the walk with an error") {
  auto datagram = Message(20, 0, Bytes(4));
  for (std::size_t size = 1; size < datagram.size(); ++size) {
    const auto cut = std::span(datagram).first(size);
    MessageReader reader(cut);
    CHECK_FALSE(reader.Next());
    CHECK(reader.End().error().fault == Fault::kMalformed);
  }
  datagram[0] = std::byte{15};
  CHECK_FALSE(MessageReader(datagram).Next());
}

TEST_CASE("the kernel's refusals are read: errno, words, offset, the request echoed or capped") {
  SUBCASE("words behind the echoed request") {
    const auto ack = ParseAcknowledgement(Only(FromHex(kDevMissing)));
    REQUIRE(ack);
    CHECK(*ack == Acknowledgement{ENODEV, "vdpa: device not found", std::nullopt});
  }
  SUBCASE("words and an offset") {
    const auto ack = ParseAcknowledgement(Only(FromHex(kVstatsUnsupportedAttribute)));
    REQUIRE(ack);
    CHECK(*ack == Acknowledgement{EINVAL, "Unsupported attribute", 32});
  }
  SUBCASE("no words") {
    const auto ack = ParseAcknowledgement(Only(FromHex(kAddExists)));
    REQUIRE(ack);
    CHECK(*ack == Acknowledgement{EEXIST, "", std::nullopt});
  }
  SUBCASE("capped") {
    const auto ack = ParseAcknowledgement(Only(Ack(EPERM, Extended("no", 20))));
    REQUIRE(ack);
    CHECK(*ack == Acknowledgement{EPERM, "no", 20});
  }
  SUBCASE("success with words") {
    const auto ack = ParseAcknowledgement(Only(Ack(0, Extended("but", 0))));
    REQUIRE(ack);
    CHECK(*ack == Acknowledgement{0, "but", 0});
  }
}

TEST_CASE("an acknowledgement cut short anywhere is refused or says less, never more") {
  const auto whole = FromHex(kVstatsUnsupportedAttribute);
  const auto full = *ParseAcknowledgement(Only(whole));
  for (std::size_t size = sizeof(nlmsghdr); size < whole.size(); ++size) {
    auto message = Only(whole);
    message.payload = message.payload.first(size - sizeof(nlmsghdr));
    const auto ack = ParseAcknowledgement(message);
    if (!ack) continue;
    CHECK(ack->errno_value == full.errno_value);
    CHECK(full.message.starts_with(ack->message));
    CHECK_FALSE(ack->attribute_offset);
  }
}

TEST_CASE("an echoed request that cannot be is refused") {
  auto message = FromHex(kDevMissing);
  SUBCASE("shorter than a header") { message[20] = std::byte{8}; }
  SUBCASE("longer than the message") { message[23] = std::byte{0xff}; }
  CHECK(ParseAcknowledgement(Only(message)).error().fault == Fault::kMalformed);
}

TEST_CASE("a status that is no errno is refused") {
  const auto positive = Message(NLMSG_ERROR, NLM_F_CAPPED, Raw(nlmsgerr{5, {}}));
  CHECK_FALSE(ParseAcknowledgement(Only(positive)));
  const auto lowest = Message(NLMSG_DONE, 0, Raw(std::int32_t{INT32_MIN}));
  CHECK_FALSE(ParseDone(Only(lowest)));
}

TEST_CASE("the end of a dump carries its outcome") {
  CHECK(*ParseDone(Only(Done())) == Acknowledgement{});
  CHECK(*ParseDone(Only(Message(NLMSG_DONE, 0, {}))) == Acknowledgement{});
  CHECK(ParseDone(Only(Done(ENOMEM)))->errno_value == ENOMEM);
  CHECK_FALSE(ParseDone(Only(Message(NLMSG_DONE, 0, Bytes(3)))));
  const auto worded = Message(NLMSG_DONE, NLM_F_ACK_TLVS,
                              Join({Raw(std::int32_t{-EAGAIN}), Extended("later", 16)}));
  CHECK(*ParseDone(Only(worded)) == Acknowledgement{EAGAIN, "later", 16});
}

TEST_CASE("a built message has its length, and takes a sequence number") {
  auto message = BuildMessage(7, 5, Bytes(4), Bytes(8));
  SetSequence(message, 99);
  const auto header = HeaderOf(message);
  CHECK(header.nlmsg_len == 28);
  CHECK(header.nlmsg_type == 7);
  CHECK(header.nlmsg_flags == 5);
  CHECK(header.nlmsg_seq == 99);
  CHECK(header.nlmsg_pid == 0);
  Bytes half(8);
  SetSequence(half, 1);
  CHECK(half == Bytes(8));
}
