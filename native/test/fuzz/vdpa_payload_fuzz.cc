// Attributes of the vdpa family and of the family lookup. Properties: nothing is read beyond the
// input, an accepted creation request survives being built again, attribute 21 is one thing only.
#include "core/genetlink.h"
#include "core/vdpa_codec.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  (void)vdpa::ParseFamily(bytes);
  (void)vdpa::ParseMgmtDevice(bytes);
  (void)vdpa::ParseVdpaDevice(bytes);
  (void)vdpa::ParseVendorStats(bytes);
  for (const std::uint32_t max_attribute : {9U, 21U, 22U, 37U}) {
    const auto config = vdpa::ParseDeviceConfig(bytes, {19, max_attribute, 0xff});
    if (config && max_attribute <= 22 && config->capacity_sectors) __builtin_trap();
  }
  const auto request = vdpa::ParseAdd(bytes);
  if (request) {
    const auto again = vdpa::ParseAdd(vdpa::BuildAdd(*request));
    if (!again || *again != *request) __builtin_trap();
  }
  return 0;
}
