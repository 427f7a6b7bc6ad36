#include "pci_uevent.h"

#include "number_text.h"

namespace vdpa {
namespace {

constexpr std::uint32_t kClassMask = 0xffffff;

/// "15B3:101E" into two ids.
bool ParseIdPair(std::string_view text, std::uint16_t& first, std::uint16_t& second) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return false;
  const auto left = ParseNumber<std::uint16_t>(text.substr(0, colon), 16);
  const auto right = ParseNumber<std::uint16_t>(text.substr(colon + 1), 16);
  if (!left || !right) return false;
  first = *left;
  second = *right;
  return true;
}

}  // namespace

std::optional<PciUevent> ParsePciUevent(std::string_view text) {
  PciUevent event;
  bool has_class = false;
  bool has_id = false;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(line.size() == text.size() ? line.size() : line.size() + 1);
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view key = line.substr(0, equals);
    const std::string_view value = line.substr(equals + 1);
    if (key == "PCI_CLASS") {
      // Printed without leading zeros: a network controller is "20000".
      const auto number = ParseNumber<std::uint32_t>(value, 16);
      if (!number || *number > kClassMask) return std::nullopt;
      event.pci_class = *number;
      has_class = true;
    } else if (key == "PCI_ID") {
      if (!ParseIdPair(value, event.vendor_id, event.device_id)) return std::nullopt;
      has_id = true;
    } else if (key == "PCI_SUBSYS_ID") {
      if (!ParseIdPair(value, event.subsystem_vendor_id, event.subsystem_device_id)) {
        return std::nullopt;
      }
    } else if (key == "DRIVER") {
      event.driver = value;
    }
  }
  if (!has_class || !has_id) return std::nullopt;
  return event;
}

}  // namespace vdpa
