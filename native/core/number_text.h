// Numbers in the kernel's text files: the whole text or nothing.
#pragma once

#include <charconv>
#include <concepts>
#include <memory>
#include <optional>
#include <string_view>
#include <system_error>

namespace vdpa {

/// Reads all of `text` as one number; a sign where none belongs, a rest, or a value that does not
/// fit gives nothing.
template <std::integral T>
std::optional<T> ParseNumber(std::string_view text, int base = 10) {
  T value{};
  const char* const begin = std::to_address(text.begin());
  const char* const end = begin + text.size();
  const auto [stop, error] = std::from_chars(begin, end, value, base);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return value;
}

}  // namespace vdpa
