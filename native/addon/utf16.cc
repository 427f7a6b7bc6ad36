#include "addon/utf16.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace vdpa::addon {

namespace {

constexpr char16_t kReplacement = 0xfffd;

struct Decoded {
  char32_t character = 0;
  std::size_t bytes = 0;  ///< 0: not well-formed
};

/// The first character of a text that is not empty. Neither surrogates nor what could have been
/// written in fewer bytes are characters.
Decoded DecodeFirst(std::string_view text) {
  constexpr std::array<char32_t, 5> kSmallest = {0, 0, 0x80, 0x800, 0x10000};
  const auto first = static_cast<unsigned char>(text.front());
  if (first < 0x80) return {first, 1};
  const std::size_t bytes = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < bytes) return {};
  char32_t character = first & (0x7fU >> bytes);
  for (std::size_t i = 1; i < bytes; ++i) {
    const auto next = static_cast<unsigned char>(text[i]);
    if ((next & 0xc0U) != 0x80) return {};
    character = character << 6U | (next & 0x3fU);
  }
  const bool surrogate = character >= 0xd800 && character <= 0xdfff;
  if (character < kSmallest[bytes] || character > 0x10ffff || surrogate) return {};
  return {character, bytes};
}

}  // namespace

void AppendUtf16(std::string_view text, std::u16string& out) {
  while (!text.empty()) {
    const Decoded decoded = DecodeFirst(text);
    if (decoded.bytes == 0) {
      out.push_back(kReplacement);
      text.remove_prefix(1);
      continue;
    }
    text.remove_prefix(decoded.bytes);
    if (decoded.character < 0x10000) {
      out.push_back(static_cast<char16_t>(decoded.character));
    } else {
      const char32_t above = decoded.character - 0x10000;
      out.push_back(static_cast<char16_t>(0xd800 + (above >> 10U)));
      out.push_back(static_cast<char16_t>(0xdc00 + (above & 0x3ffU)));
    }
  }
}

}  // namespace vdpa::addon
