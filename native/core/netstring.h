// Texts of any bytes behind one another: each as its length in decimal digits, a colon, the bytes
// and a comma, as in "5:hello,".
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "result.h"

namespace vdpa {

struct Netstring {
  std::string_view value;
  /// Bytes with the length, the colon and the comma.
  std::size_t size;
};

/// The one that the bytes begin with; nothing when it is not whole yet.
/// Fails with kMalformed when no further bytes can make one of it, or one of at most `longest`
/// bytes.
Result<std::optional<Netstring>> ParseNetstring(std::string_view bytes, std::size_t longest);

/// All of them, whole and with nothing between.
Result<std::vector<std::string_view>> ParseNetstrings(std::string_view bytes);

void AppendNetstring(std::string& to, std::string_view value);

/// A netstring of netstrings.
std::string NetstringOf(const std::vector<std::string_view>& values);

}  // namespace vdpa
