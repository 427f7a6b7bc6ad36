// The uevent text of a PCI function.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "core/pci_uevent.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto event = vdpa::ParsePciUevent(text);
  if (event && (event->pci_class > 0xffffff || event->driver.find('\n') != std::string::npos)) {
    std::abort();
  }
  return 0;
}
