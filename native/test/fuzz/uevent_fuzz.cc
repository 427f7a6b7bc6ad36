// A message of the uevent socket. Property: an accepted one, written again from its parts, is the
// same event.
#include "core/uevent.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto event = vdpa::ParseUevent(std::as_bytes(std::span(data, size)));
  if (!event) return 0;
  std::string again = event->action + "@" + event->devpath + '\0';
  for (const auto& [key, value] : event->properties) {
    again.append(key).append("=").append(value).push_back('\0');
  }
  if (again.size() != size || again != std::string(reinterpret_cast<const char*>(data), size)) {
    __builtin_trap();
  }
  return 0;
}
