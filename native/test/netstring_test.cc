#include "core/netstring.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

namespace vdpa {
namespace {

constexpr std::size_t kLongest = 100;

bool IsMalformed(std::string_view bytes) {
  const auto parsed = ParseNetstring(bytes, kLongest);
  return !parsed && parsed.error().fault == Fault::kMalformed;
}

TEST_CASE("a netstring is its length, a colon, that many bytes and a comma") {
  const auto parsed = ParseNetstring("5:hello,rest", kLongest);
  REQUIRE(parsed);
  REQUIRE(*parsed);
  CHECK((*parsed)->value == "hello");
  CHECK((*parsed)->size == 8);
  const auto empty = ParseNetstring("0:,", kLongest);
  REQUIRE(empty);
  REQUIRE(*empty);
  CHECK((*empty)->value.empty());
  CHECK((*empty)->size == 3);
}

TEST_CASE("every beginning of a netstring is one that is not whole") {
  const std::string whole = NetstringOf({"a:,", std::string_view("\0\xff", 2), ""});
  for (std::size_t length = 0; length < whole.size(); ++length) {
    const auto parsed = ParseNetstring(std::string_view(whole).substr(0, length), kLongest);
    REQUIRE(parsed);
    CHECK_FALSE(*parsed);
  }
  CHECK(*ParseNetstring(whole, kLongest));
}

TEST_CASE("what no bytes can make a netstring of is refused") {
  for (const std::string_view bytes :
       {":,", "x", "-1:,", "01:a,", "00:,", "5;hello,", "5:hello;", " 5:hello,", "12345678901"}) {
    CAPTURE(bytes);
    CHECK(IsMalformed(bytes));
  }
}

TEST_CASE("a netstring that is too long is refused before it has come") {
  CHECK(IsMalformed("101:"));
  CHECK(IsMalformed("9999999999:"));
  CHECK_FALSE(IsMalformed("100:"));
}

TEST_CASE("a list of netstrings has nothing before, between or behind") {
  const auto list = ParseNetstrings("1:a,0:,2:bc,");
  REQUIRE(list);
  CHECK(*list == std::vector<std::string_view>{"a", "", "bc"});
  CHECK(ParseNetstrings("")->empty());
  CHECK_FALSE(ParseNetstrings("1:a,2:b,"));
  CHECK_FALSE(ParseNetstrings("1:a,\n"));
  CHECK_FALSE(ParseNetstrings("1:a"));
}

TEST_CASE("what was written is read") {
  const std::string text = NetstringOf({"answer", "", "1:x,"});
  const auto outer = ParseNetstring(text, kLongest);
  REQUIRE(outer);
  REQUIRE(*outer);
  CHECK((*outer)->size == text.size());
  CHECK(*ParseNetstrings((*outer)->value) == std::vector<std::string_view>{"answer", "", "1:x,"});
}

}  // namespace
}  // namespace vdpa
