// Where a PCI function sits: domain, bus, device, function.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace vdpa {

/// Ordered by number, which is the order of the bus; text sorts wrongly once a domain has more than
/// four digits.
struct PciAddress {
  std::uint32_t domain = 0;
  std::uint8_t bus = 0;
  std::uint8_t device = 0;    ///< 0 to 31
  std::uint8_t function = 0;  ///< 0 to 7

  auto operator<=>(const PciAddress&) const = default;
};

/// Reads the kernel's own spelling, "0000:65:00.2": lower-case hexadecimal, a domain of four
/// digits, or of up to eight without leading zeros ("10000:e1:00.0" behind an Intel VMD). Any other
/// spelling is refused, so that one function has one text.
std::optional<PciAddress> ParsePciAddress(std::string_view text);

std::string FormatPciAddress(const PciAddress& address);

/// The address of a PF's VF number `index`. SR-IOV counts in routing ids (bus, device and function
/// as one 16-bit number), so VFs run on into the next buses. Nothing when that leaves the domain.
std::optional<PciAddress> VfAddress(const PciAddress& pf, std::uint32_t offset,
                                    std::uint32_t stride, std::uint32_t index);

}  // namespace vdpa
