#include "../core/netlink_conversation.h"

#include <doctest/doctest.h>

#include <set>

#include "support/scripted_channel.h"

using namespace vdpa;
using namespace vdpa::test;

namespace {

constexpr std::uint16_t kType = 20;

Bytes Request(std::uint16_t flags) { return Message(kType, NLM_F_REQUEST | flags, {}); }

struct Talk {
  std::shared_ptr<Script> script = std::make_shared<Script>();
  NetlinkConversation conversation{std::make_unique<ScriptedChannel>(script)};
  std::vector<std::size_t> seen = {};

  MessageVisitor Visitor() {
    return [this](const NetlinkMessage& message) -> Result<void> {
      seen.push_back(message.payload.size());
      return {};
    };
  }
  auto Get() { return conversation.Do("GET", Request(0), Soon(), Visitor()); }
  auto Change() { return conversation.Do("SET", Request(NLM_F_ACK), Soon(), Visitor()); }
  auto Dump() { return conversation.Dump("DUMP", Request(NLM_F_DUMP), Soon(), Visitor()); }
};

}  // namespace

TEST_CASE("a read ends at its reply") {
  Talk talk;
  talk.script->Answer({{Message(kType, 0, Bytes(4))}});
  CHECK(talk.Get());
  CHECK(talk.seen == std::vector<std::size_t>{4});
  CHECK(talk.conversation.Usable());
}

TEST_CASE("a change ends at its acknowledgement, whose words are handed on") {
  Talk talk;
  talk.script->Answer({{Message(kType, 0, Bytes(4))}, {Ack(0, TextAttr(1, "mind"))}});
  const auto done = talk.Change();
  REQUIRE(done);
  CHECK(done->message == "mind");
  CHECK(talk.seen.size() == 1);
}

TEST_CASE("a refusal carries errno, words and offset, and the socket stays good") {
  Talk talk;
  talk.script->Answer({{Ack(EPERM, Join({TextAttr(1, "not you"), IntAttr(2, 24U)}))}});
  const auto done = talk.Change();
  REQUIRE_FALSE(done);
  CHECK(done.error() == Error{Fault::kSystem, "SET", EPERM, "not you", 24});
  CHECK(talk.conversation.Usable());
}

TEST_CASE("sequence numbers are never 0 and never the same") {
  Talk talk;
  std::set<std::uint32_t> numbers;
  for (int i = 0; i < 100; ++i) {
    talk.script->Answer({{Ack(0)}});
    REQUIRE(talk.Change());
    numbers.insert(HeaderOf(talk.script->requests.back()).nlmsg_seq);
  }
  CHECK(numbers.size() == 100);
  CHECK_FALSE(numbers.contains(0));
}

TEST_CASE("messages of another exchange and of other processes are passed over") {
  Talk talk;
  auto stale = Message(kType, 0, Bytes(8));
  SetSequence(stale, 77);
  talk.script->Answer({{.bytes = stale, .own_sequence = true},
                       {.bytes = Ack(ENODEV), .sender_port = 4321},
                       {.bytes = Message(kType, 0, Bytes(12)), .sender_port = 4321},
                       {.bytes = Bytes(7), .sender_port = 4321},
                       {.bytes = Bytes(7), .sender_port = 4321, .truncated = true},
                       {Message(kType, 0, Bytes(4))}});
  CHECK(talk.Get());
  CHECK(talk.seen == std::vector<std::size_t>{4});
}

TEST_CASE("strangers who never stop do not hold the caller beyond the deadline") {
  Talk talk;
  std::vector<Step> flood(100000, {.bytes = Ack(0), .sender_port = 9});
  talk.script->Answer(std::move(flood));
  const auto done =
      talk.conversation.Do("GET", Request(0), std::chrono::steady_clock::now(), talk.Visitor());
  REQUIRE_FALSE(done);
  CHECK(done.error().fault == Fault::kTimeout);
  CHECK_FALSE(talk.conversation.Usable());
}

TEST_CASE("silence, loss and truncation end the use of the socket") {
  Talk talk;
  Fault expected = Fault::kLost;
  SUBCASE("silence") { expected = Fault::kTimeout; }
  SUBCASE("overflow") {
    talk.script->Answer({{.bytes = {}, .error = Error{Fault::kLost, "receive", ENOBUFS}}});
  }
  SUBCASE("truncated") {
    talk.script->Answer({{.bytes = Message(kType, 0, Bytes(4)), .truncated = true}});
  }
  SUBCASE("overrun") { talk.script->Answer({{Message(NLMSG_OVERRUN, 0, {})}}); }
  const auto done = talk.Get();
  REQUIRE_FALSE(done);
  CHECK(done.error().fault == expected);
  CHECK_FALSE(talk.conversation.Usable());
}

TEST_CASE("a dump over several datagrams is seen to its end") {
  Talk talk;
  talk.script->Answer(
      {{Join({Message(kType, NLM_F_MULTI, Bytes(4)), Message(kType, NLM_F_MULTI, Bytes(8))})},
       {Join({Message(NLMSG_NOOP, 0, {}), Message(kType, NLM_F_MULTI, Bytes(12))})},
       {Done()}});
  CHECK(talk.Dump());
  CHECK(talk.seen == std::vector<std::size_t>{4, 8, 12});
  CHECK(talk.conversation.Usable());
}

TEST_CASE("a dump's end can be a failure") {
  Talk talk;
  talk.script->Answer({{Message(kType, NLM_F_MULTI, Bytes(4))}, {Done(ENOMEM)}});
  const auto done = talk.Dump();
  REQUIRE_FALSE(done);
  CHECK(done.error().errno_value == ENOMEM);
  CHECK(talk.seen.size() == 1);
  CHECK(talk.conversation.Usable());
}

TEST_CASE("a refused dump fails at once") {
  Talk talk;
  talk.script->Answer({{Ack(EBUSY)}});
  CHECK(talk.Dump().error().errno_value == EBUSY);
}

TEST_CASE("an interrupted dump is read to its end and then reported as lost") {
  Talk talk;
  std::uint16_t on_row = NLM_F_MULTI;
  std::uint16_t on_end = NLM_F_MULTI;
  SUBCASE("said by a row") { on_row |= NLM_F_DUMP_INTR; }
  SUBCASE("said by the end") { on_end |= NLM_F_DUMP_INTR; }
  talk.script->Answer({{Message(kType, on_row, Bytes(4))},
                       {Message(kType, NLM_F_MULTI, Bytes(8))},
                       {Done(0, on_end)}});
  const auto done = talk.Dump();
  REQUIRE_FALSE(done);
  CHECK(done.error().fault == Fault::kLost);
  CHECK(talk.seen.size() == 2);
  CHECK(talk.conversation.Usable());
}

TEST_CASE("a dump without its end is a timeout") {
  Talk talk;
  talk.script->Answer({{Message(kType, NLM_F_MULTI, Bytes(4))}});
  CHECK(talk.Dump().error().fault == Fault::kTimeout);
  CHECK_FALSE(talk.conversation.Usable());
}

TEST_CASE("a visitor's error ends the exchange and the use of the socket") {
  Talk talk;
  talk.script->Answer({{Message(kType, NLM_F_MULTI, {})}, {Done()}});
  const auto done = talk.conversation.Dump(
      "DUMP", Request(NLM_F_DUMP), Soon(),
      [](const NetlinkMessage&) -> Result<void> { return Malformed("row", "bad"); });
  REQUIRE_FALSE(done);
  CHECK(done.error().message == "bad");
  CHECK_FALSE(talk.conversation.Usable());
}

TEST_CASE("an answer cut short at any byte is an error, never an end") {
  const auto whole = Join({Message(kType, NLM_F_MULTI, Bytes(8)), Done()});
  for (std::size_t size = 0; size < whole.size(); ++size) {
    Talk talk;
    talk.script->Answer({{Bytes(whole.begin(), whole.begin() + static_cast<long>(size))}});
    const auto done = talk.Dump();
    REQUIRE_FALSE(done);
    CHECK_FALSE(talk.conversation.Usable());
  }
}
