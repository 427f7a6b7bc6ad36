#include "../core/attribute.h"

#include <doctest/doctest.h>

#include "support/bytes.h"

using namespace vdpa;
using namespace vdpa::test;

namespace {

struct Everything {
  std::string text;
  std::uint8_t u8 = 0;
  std::uint16_t u16 = 0;
  std::uint32_t u32 = 0;
  std::uint64_t u64 = 0;
  std::optional<MacAddress> mac;
  std::optional<std::uint64_t> maybe;
};

constexpr std::array kTable = {
    Row<Everything, &Everything::text>(1, Presence::kRequired),
    Row<Everything, &Everything::u8>(2),
    Row<Everything, &Everything::u16>(3),
    Row<Everything, &Everything::u32>(4),
    Row<Everything, &Everything::u64>(5),
    Row<Everything, &Everything::mac>(6),
    Row<Everything, &Everything::maybe>(7),
};

Result<Everything> Parse(const Bytes& bytes) {
  return ParseRecord<Everything>("test", kTable, bytes);
}

}  // namespace

TEST_CASE("attributes of every type arrive in their members") {
  const auto parsed =
      Parse(Join({TextAttr(1, "name"), IntAttr(2, std::uint8_t{0xfe}),
                  IntAttr(3, std::uint16_t{0xfedc}), IntAttr(4, 0xfedcba98U),
                  IntAttr(5, 0xfedcba9876543210UL), Attr(6, FromHex("020304050607"))}));
  REQUIRE(parsed);
  CHECK(parsed->text == "name");
  CHECK(parsed->u8 == 0xfe);
  CHECK(parsed->u16 == 0xfedc);
  CHECK(parsed->u32 == 0xfedcba98);
  CHECK(parsed->u64 == 0xfedcba9876543210);
  CHECK(parsed->mac == MacAddress{2, 3, 4, 5, 6, 7});
  CHECK_FALSE(parsed->maybe);
}

TEST_CASE("padding, unknown attributes and type bits change nothing") {
  const auto parsed =
      Parse(Join({Attr(0, {}), TextAttr(1, "a"), Attr(0, Bytes(8)), Attr(999, Bytes(3)),
                  IntAttr(NLA_F_NESTED | NLA_F_NET_BYTEORDER | 4, 7U)}));
  REQUIRE(parsed);
  CHECK(parsed->text == "a");
  CHECK(parsed->u32 == 7);
}

TEST_CASE("text ends at its first NUL, or at its end when it has none") {
  CHECK(Parse(Attr(1, FromText("abcd")))->text == "abcd");
  CHECK(Parse(Attr(1, FromText(std::string_view("ab\0cd\0", 6))))->text == "ab");
  CHECK(Parse(Attr(1, {}))->text.empty());
  const std::string longest(255, 'x');
  CHECK(Parse(TextAttr(1, longest))->text == longest);
}

TEST_CASE("a wrong size is refused with the attribute and both sizes") {
  for (std::uint16_t type = 2; type <= 7; ++type) {
    for (std::size_t size = 0; size < 10; ++size) {
      constexpr std::array<std::size_t, 8> kSizes = {0, 0, 1, 2, 4, 8, 6, 8};
      const auto parsed = Parse(Join({TextAttr(1, "a"), Attr(type, Bytes(size))}));
      CAPTURE(type);
      CAPTURE(size);
      REQUIRE(parsed.has_value() == (size == kSizes.at(type)));
      if (parsed) continue;
      CHECK(parsed.error().fault == Fault::kMalformed);
      CHECK(parsed.error().message == "attribute " + std::to_string(type) + " has " +
                                          std::to_string(size) + " bytes, not " +
                                          std::to_string(kSizes.at(type)));
    }
  }
}

TEST_CASE("the first error is the one that is reported") {
  const auto parsed = Parse(Join({Attr(2, Bytes(2)), Attr(3, Bytes(1))}));
  REQUIRE_FALSE(parsed);
  CHECK(parsed.error().message == "attribute 2 has 2 bytes, not 1");
}

TEST_CASE("a required attribute that is missing is an error") {
  CHECK(Parse({}).error().message == "attribute 1 is missing");
}

TEST_CASE("lengths that lead outside are refused") {
  const auto text = TextAttr(1, "abc");
  CHECK(Parse(Join({text, FromHex("0300 0200")})).error().message ==
        "attribute 2 claims 3 bytes of 4");
  CHECK(Parse(Join({text, FromHex("0900 0200 00000000")})).error().message ==
        "attribute 2 claims 9 bytes of 8");
  CHECK(Parse(Join({text, FromHex("0500")})).error().message == "2 bytes after the last attribute");
}

TEST_CASE("the last attribute may lack its padding") {
  const auto parsed = Parse(Join({TextAttr(1, "a"), FromHex("0500 0200 07")}));
  REQUIRE(parsed);
  CHECK(parsed->u8 == 7);
}

TEST_CASE("a 64-bit value behind an odd number of words is read whole") {
  auto bytes = Join({TextAttr(1, "abc"), IntAttr(5, 0x8000000000000001UL)});
  for (std::size_t shift = 0; shift < 8; ++shift) {
    Bytes moved(shift);
    moved.insert(moved.end(), bytes.begin(), bytes.end());
    const auto parsed = ParseRecord<Everything>("test", kTable, std::span(moved).subspan(shift));
    REQUIRE(parsed);
    CHECK(parsed->u64 == 0x8000000000000001UL);
  }
}

TEST_CASE("what the writer writes the reader reads") {
  const auto bytes = AttributeWriter()
                         .Add(1, std::string_view("abcd"))
                         .Add(3, std::uint16_t{3})
                         .Add(4, std::uint32_t{4})
                         .Add(5, std::uint64_t{5})
                         .Add(6, MacAddress{1, 2, 3, 4, 5, 6})
                         .Bytes();
  CHECK(bytes == Join({TextAttr(1, "abcd"), IntAttr(3, std::uint16_t{3}), IntAttr(4, 4U),
                       IntAttr(5, 5UL), Attr(6, FromHex("010203040506"))}));
  REQUIRE(Parse(bytes));
}
