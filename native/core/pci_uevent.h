// What a PCI function's `uevent` file says it is.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace vdpa {

/// The kernel serves this file from memory; `config` would be real cycles on the bus.
struct PciUevent {
  std::uint32_t pci_class = 0;  ///< 24 bits
  std::uint16_t vendor_id = 0;
  std::uint16_t device_id = 0;
  std::uint16_t subsystem_vendor_id = 0;
  std::uint16_t subsystem_device_id = 0;
  std::string driver;  ///< empty when unbound

  bool operator==(const PciUevent&) const = default;
};

/// Reads KEY=VALUE lines; unknown keys are skipped. Nothing when PCI_ID or PCI_CLASS is missing or
/// a number has another form.
std::optional<PciUevent> ParsePciUevent(std::string_view text);

}  // namespace vdpa
