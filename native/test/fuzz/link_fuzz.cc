// The payload of an RTM_NEWLINK message.
#include "core/link_dump.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto link = vdpa::ParseLink(std::as_bytes(std::span(data, size)));
  if (link && link->phys_switch_id.find_first_not_of("0123456789abcdef") != std::string::npos) {
    __builtin_trap();
  }
  return 0;
}
