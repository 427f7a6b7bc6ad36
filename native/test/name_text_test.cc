#include "core/name_text.h"

#include <doctest/doctest.h>

#include <set>
#include <string>
#include <vector>

using namespace vdpa;

TEST_CASE("a name in UTF-8 is its own text") {
  for (const std::string name :
       {"", "vdpa0", "gerät-ñ-設備", "\U0001f600", "\u07ff\u0800\uffff", "\U0010ffff", "a\\b", "\\",
        "\\x", "\\xf", "\\x41", "\\xFF", "\\x2f", "\\x00", "\\x7f", "\\u{e9}"}) {
    CAPTURE(name);
    CHECK(TextOfName(name) == name);
    CHECK(NameOfText(name) == name);
  }
}

TEST_CASE("a byte that is part of no UTF-8 is shown in hex") {
  CHECK(TextOfName("v\xff\xfe"
                   "0") == "v\\xff\\xfe0");
  CHECK(TextOfName("\x80") == "\\x80");
  CHECK(TextOfName("\xc0\xaf") == "\\xc0\\xaf");                    // a slash, longer than need be
  CHECK(TextOfName("\xe0\x9f\xbf") == "\\xe0\\x9f\\xbf");           // likewise
  CHECK(TextOfName("\xf0\x8f\xbf\xbf") == "\\xf0\\x8f\\xbf\\xbf");  // likewise
  CHECK(TextOfName("\xed\xa0\x80") == "\\xed\\xa0\\x80");           // a surrogate
  CHECK(TextOfName("\xf4\x90\x80\x80") == "\\xf4\\x90\\x80\\x80");  // above U+10FFFF
  CHECK(TextOfName("\xf5\x80\x80\x80") == "\\xf5\\x80\\x80\\x80");
  CHECK(TextOfName("\xe8\xa8") == "\\xe8\\xa8");  // cut short
  CHECK(TextOfName("\xe8g\xa8") == "\\xe8g\\xa8");
}

TEST_CASE("a name that looks like such a text is told from it") {
  CHECK(TextOfName("\\xff") == "\\x5cxff");
  CHECK(TextOfName("\\x5cxff") == "\\x5cx5cxff");
  CHECK(TextOfName("\\\\x80") == "\\\\x5cx80");
  CHECK(NameOfText("\\x5cxff") == "\\xff");
}

TEST_CASE("no two names have one text, and every text leads back to its name") {
  // All names of up to five bytes from those that matter to the conversion.
  const std::string alphabet = "\\x5cf\xff\xc3\xa4";
  std::vector<std::string> names = {""};
  std::set<std::string> texts;
  for (std::size_t at = 0; at < names.size(); ++at) {
    const std::string name = names[at];
    const std::string text = TextOfName(name);
    REQUIRE(NameOfText(text) == name);
    REQUIRE(texts.insert(text).second);
    REQUIRE((text == name || !IsItsOwnText(name)));
    if (name.size() == 5) continue;
    for (const char c : alphabet) names.push_back(name + c);
  }
  CHECK(texts.size() == 37449);
}
