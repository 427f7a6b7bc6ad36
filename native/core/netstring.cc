#include "netstring.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "number_text.h"

namespace vdpa {
namespace {

constexpr std::string_view kOp = "read a netstring";
/// No length of interest has more digits.
constexpr std::size_t kMostDigits = 10;

std::unexpected<Error> NoNetstring(std::string message) {
  return Malformed(std::string(kOp), std::move(message));
}

}  // namespace

Result<std::optional<Netstring>> ParseNetstring(std::string_view bytes, std::size_t longest) {
  const std::size_t digits = std::min(bytes.find_first_not_of("0123456789"), bytes.size());
  if (digits > kMostDigits) return NoNetstring("the length has too many digits");
  if (digits > 1 && bytes.front() == '0') return NoNetstring("the length begins with a zero");
  if (digits == bytes.size()) return std::nullopt;
  if (digits == 0 || bytes[digits] != ':') return NoNetstring("no length and colon");
  const auto length = ParseNumber<std::size_t>(bytes.substr(0, digits)).value_or(SIZE_MAX);
  if (length > longest) return NoNetstring("longer than can be");
  const std::size_t begin = digits + 1;
  if (bytes.size() - begin <= length) return std::nullopt;
  if (bytes[begin + length] != ',') return NoNetstring("no comma at the end");
  return Netstring{bytes.substr(begin, length), begin + length + 1};
}

Result<std::vector<std::string_view>> ParseNetstrings(std::string_view bytes) {
  std::vector<std::string_view> values;
  while (!bytes.empty()) {
    const auto next = ParseNetstring(bytes, bytes.size());
    if (!next) return std::unexpected(next.error());
    const std::optional<Netstring>& whole = *next;
    if (!whole) return NoNetstring("cut short");
    values.push_back(whole->value);
    bytes.remove_prefix(whole->size);
  }
  return values;
}

void AppendNetstring(std::string& to, std::string_view value) {
  to.append(std::to_string(value.size())).append(1, ':').append(value).append(1, ',');
}

std::string NetstringOf(const std::vector<std::string_view>& values) {
  std::string inner;
  for (const std::string_view value : values) AppendNetstring(inner, value);
  std::string whole;
  AppendNetstring(whole, inner);
  return whole;
}

}  // namespace vdpa
