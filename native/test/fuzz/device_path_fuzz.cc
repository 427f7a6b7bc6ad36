// Targets of sysfs links.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/device_number.h"
#include "core/device_path.h"
#include "core/pci_address.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto path = vdpa::DevicesPath(text);
  if (path && (path->starts_with('/') || path->find("//") != std::string_view::npos)) std::abort();
  const auto place = vdpa::ParseVhostPath(text);
  if (place) {
    // Put together again, the parts are the path.
    std::string whole(place->parent_path);
    if (!whole.empty()) whole += '/';
    whole += std::string(place->vdpa_name) + "/" + std::string(place->char_name);
    if (!path || whole != *path || !vdpa::IsVhostName(place->char_name)) std::abort();
  }
  const std::string_view pci = vdpa::NearestPciComponent(text);
  if (!pci.empty() && !vdpa::ParsePciAddress(pci)) std::abort();
  const std::string_view sf = vdpa::NearestSfComponent(text);
  if (!sf.empty() && !vdpa::IsAuxiliaryName(sf)) std::abort();
  const auto number = vdpa::ParseDeviceNumber(text);
  if (number && vdpa::ParseDeviceNumber(vdpa::FormatDeviceNumber(*number)) != number) std::abort();
  return 0;
}
