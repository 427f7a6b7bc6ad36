// PCI addresses: one text for one function, and VF arithmetic that stays in range.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "core/pci_address.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto address = vdpa::ParsePciAddress(text);
  if (address && vdpa::FormatPciAddress(*address) != text) std::abort();

  std::uint32_t numbers[4] = {};
  std::memcpy(numbers, data, size < sizeof(numbers) ? size : sizeof(numbers));
  const vdpa::PciAddress pf{numbers[0], static_cast<std::uint8_t>(numbers[0] >> 8U), 0, 0};
  const auto vf = vdpa::VfAddress(pf, numbers[1], numbers[2], numbers[3]);
  if (vf && (*vf < pf || vdpa::ParsePciAddress(vdpa::FormatPciAddress(*vf)) != vf)) std::abort();
  return 0;
}
