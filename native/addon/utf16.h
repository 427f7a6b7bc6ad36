// UTF-8 as the UTF-16 of JavaScript's strings.
#pragma once

#include <string>
#include <string_view>

namespace vdpa::addon {

/// Appends `text`, which is well-formed: what TextOfName makes of a name is, whatever its bytes.
void AppendUtf16(std::string_view text, std::u16string& out);

}  // namespace vdpa::addon
