#include "addon/utf16.h"

#include <algorithm>
#include <cstddef>

namespace vdpa::addon {

void AppendUtf16(std::string_view text, std::u16string& out) {
  while (!text.empty()) {
    const auto first = static_cast<unsigned char>(text.front());
    const std::size_t bytes = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    char32_t character = bytes == 1 ? first : first & (0x7fU >> bytes);
    for (const char next : text.substr(1, bytes - 1)) {
      character = character << 6U | (static_cast<unsigned char>(next) & 0x3fU);
    }
    text.remove_prefix(std::min(bytes, text.size()));
    if (character < 0x10000) {
      out.push_back(static_cast<char16_t>(character));
    } else {
      const char32_t above = character - 0x10000;
      out.push_back(static_cast<char16_t>(0xd800 + (above >> 10U)));
      out.push_back(static_cast<char16_t>(0xdc00 + (above & 0x3ffU)));
    }
  }
}

}  // namespace vdpa::addon
