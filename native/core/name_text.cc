#include "name_text.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <system_error>

namespace vdpa {
namespace {

constexpr std::size_t kEscapeLength = 4;
constexpr std::uint8_t kBackslash = '\\';

std::uint8_t At(std::string_view text, std::size_t at) {
  return static_cast<std::uint8_t>(text[at]);
}

/// The byte that an escape at the beginning of `text` stands for; nothing when there is none.
std::optional<std::uint8_t> ReadEscape(std::string_view text) {
  if (text.size() < kEscapeLength || !text.starts_with("\\x")) return std::nullopt;
  const std::string_view digits = text.substr(2, 2);
  std::uint8_t byte = 0;
  const auto [end, error] = std::from_chars(digits.begin(), digits.end(), byte, 16);
  if (error != std::errc() || end != digits.end()) return std::nullopt;
  const bool lower = std::ranges::none_of(digits, [](char c) { return c >= 'A' && c <= 'F'; });
  if (!lower || (byte < 0x80 && byte != kBackslash)) return std::nullopt;
  return byte;
}

void WriteEscape(std::uint8_t byte, std::string& text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  text.append("\\x").append({kDigits[byte >> 4U], kDigits[byte & 15U]});
}

/// How many bytes the character at the beginning of `text` has in UTF-8; 0 when there is none. As
/// the Unicode standard has it: nothing longer than need be, no surrogates, nothing above U+10FFFF.
std::size_t CharacterLength(std::string_view text) {
  const std::uint8_t lead = At(text, 0);
  if (lead < 0x80) return 1;
  const std::size_t length = lead < 0xc2   ? 0
                             : lead < 0xe0 ? 2
                             : lead < 0xf0 ? 3
                             : lead < 0xf5 ? 4
                                           : 0;
  if (length == 0 || text.size() < length) return 0;
  for (std::size_t at = 1; at < length; ++at) {
    if ((At(text, at) & 0xc0U) != 0x80) return 0;
  }
  const std::uint8_t second = At(text, 1);
  if (lead == 0xe0 && second < 0xa0) return 0;
  if (lead == 0xed && second > 0x9f) return 0;
  if (lead == 0xf0 && second < 0x90) return 0;
  if (lead == 0xf4 && second > 0x8f) return 0;
  return length;
}

}  // namespace

bool IsItsOwnText(std::string_view name) {
  return std::ranges::all_of(name, [](char c) { return (c & 0x80) == 0 && c != '\\'; });
}

std::string TextOfName(std::string_view name) {
  std::string text;
  text.reserve(name.size());
  while (!name.empty()) {
    const std::size_t length = CharacterLength(name);
    if (length == 0 || ReadEscape(name)) {
      WriteEscape(At(name, 0), text);
      name.remove_prefix(1);
    } else {
      text.append(name.substr(0, length));
      name.remove_prefix(length);
    }
  }
  return text;
}

std::string NameOfText(std::string_view text) {
  std::string name;
  name.reserve(text.size());
  while (!text.empty()) {
    const std::optional<std::uint8_t> byte = ReadEscape(text);
    name.push_back(byte ? static_cast<char>(*byte) : text.front());
    text.remove_prefix(byte ? kEscapeLength : 1);
  }
  return name;
}

}  // namespace vdpa
