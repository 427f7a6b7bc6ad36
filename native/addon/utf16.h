// UTF-8 as the UTF-16 of JavaScript's strings.
#pragma once

#include <string>
#include <string_view>

namespace vdpa::addon {

/// Appends `text`; each byte that is no part of well-formed UTF-8 becomes U+FFFD.
void AppendUtf16(std::string_view text, std::u16string& out);

}  // namespace vdpa::addon
