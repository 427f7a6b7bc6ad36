// Names, which are bytes to the kernel, as text that no two of them share.
#pragma once

#include <string>
#include <string_view>

namespace vdpa {

/// The kernel takes any bytes for a name. UTF-8 stays what it is; each byte that is not part of any
/// becomes "\xff", in lower-case hex. So that no name looks like another, a backslash before what
/// would then be read as such a byte becomes "\x5c".
std::string TextOfName(std::string_view name);

/// The name whose text this is: undoes TextOfName. Of other escapes nothing is undone: a text
/// cannot bring a slash, a NUL or a control character into a name.
std::string NameOfText(std::string_view text);

/// Whether a name is its own text by its bytes alone: ASCII without a backslash, as nearly all are.
bool IsItsOwnText(std::string_view name);

}  // namespace vdpa
