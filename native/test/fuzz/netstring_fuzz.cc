// What comes over the pipes of a helper process.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/netstring.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kLongest = 512;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto first = vdpa::ParseNetstring(text, kLongest);
  if (first && *first) {
    if ((*first)->value.size() > kLongest) std::abort();
    std::string again;
    vdpa::AppendNetstring(again, (*first)->value);
    if (again != text.substr(0, (*first)->size)) std::abort();
  }
  if (first && !*first) {
    // Not whole: so is every beginning of it.
    const auto shorter = vdpa::ParseNetstring(text.substr(0, size / 2), kLongest);
    if (!shorter || *shorter) std::abort();
  }
  const auto list = vdpa::ParseNetstrings(text);
  if (list) {
    std::string again;
    for (const std::string_view value : *list) vdpa::AppendNetstring(again, value);
    if (again != text) std::abort();
  }
  return 0;
}
